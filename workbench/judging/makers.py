"""Judges that are made elsewhere: a name's scheme, such as `models:`, says by what, and it is loaded when asked for.

What makes them is declared as entry points of the group `viva.judges` (`pyproject.toml`): the name is the scheme, the
value a function of a judge's name and the settings. The workbench needs none of them, and runs without the packages
they need; another package may declare more.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from workbench.engines.base import EngineError
from workbench.judging.base import Judge

if TYPE_CHECKING:
    from workbench.settings import Settings

GROUP = "viva.judges"

SCHEMES = {
    "adapter:FOLDER": "an adapter that `viva-finetune train` wrote",
    "models:/viva-examiner@champion": "the adapter promoted in MLflow",
    "served:NAME": "an adapter that `viva-finetune serve` serves, at VIVA_JUDGE_URL",
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
    scheme, colon, _ = name.partition(":")
    makers = list(entry_points(group=GROUP, name=scheme)) if colon else []
    if not makers:
        return None
    try:
        judge: Judge = makers[0].load()(name, settings)
    except ImportError as error:
        raise EngineError(
            "judge", f"{name} needs {error.name or error}; run `pip install 'viva-workbench[finetune]'`"
        ) from error
    except ValueError as error:
        raise EngineError("judge", str(error)) from error
    return judge
