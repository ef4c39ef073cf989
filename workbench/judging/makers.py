"""Judges that are made elsewhere: a name's scheme, such as `models:`, says by what, and it is loaded when asked for.

The workbench needs none of them, and runs without the packages that make them.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from workbench.engines.base import EngineError
from workbench.judging.base import Judge

if TYPE_CHECKING:
    from workbench.settings import Settings

GROUP = "viva.judges"
"""Entry points of this group make judges too: the name is the scheme, the value a function of name and settings."""

_OWN = {"adapter": "finetune.registry:made_judge", "models": "finetune.registry:made_judge"}

SCHEMES = {
    "adapter:FOLDER": "an adapter that `viva-finetune train` wrote",
    "models:/viva-examiner@champion": "the adapter promoted in MLflow",
}
"""How such names look, each with a line of help."""


def made_elsewhere(name: str, settings: Settings) -> Judge | None:
    """The judge of a name with a scheme; None where the name has none that is known.

    Args:
        name: Such as `models:/viva-examiner@champion`.
        settings: Handed on.

    Raises:
        EngineError: What makes it is not installed, or could not make it; the message says what to do.
    """
    scheme = name.partition(":")[0]
    if ":" not in name or scheme not in {*_OWN, *entry_points(group=GROUP).names}:
        return None
    found = [*entry_points(group=GROUP, name=scheme)]
    maker = found[0] if found else EntryPoint(scheme, _OWN[scheme], GROUP)
    try:
        judge: Judge = maker.load()(name, settings)
    except ImportError as error:
        raise EngineError(
            "judge", f"{name} needs {error.name or error}; run `pip install 'viva-workbench[finetune]'`"
        ) from error
    except ValueError as error:
        raise EngineError("judge", str(error)) from error
    return judge
