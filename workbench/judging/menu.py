"""The judges an educator may try an answer with: the one in service, those that need no server, and the promoted ones.

What is promoted is told by whoever keeps it, through entry points of the group `viva.judges.registered`: functions of
the settings that list (title, name), of which each name always means the same judge.
"""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from workbench.engines.base import EngineError
from workbench.exam.items import Bank
from workbench.exam.model import Evaluation
from workbench.exam.model import Judge as Ask
from workbench.judging.registry import JudgeCall, judge_call, make_judge

if TYPE_CHECKING:
    from workbench.settings import Settings

log = logging.getLogger(__name__)

GROUP = "viva.judges.registered"

IN_SERVICE = ""
"""Name of the judge that marks vivas."""

ALONE = ("hybrid", "keyword", "embedding", "panel")
"""Judges that are always at hand."""

MOST_KEPT = 4
"""Judges kept in memory beside the one in service; an adapter has its base's weights with it."""


class JudgeMenu:
    """Judges by name, made when they are first asked.

    Args:
        in_service: The judge that marks vivas.
        settings: Where weights and registries are.
    """

    def __init__(self, in_service: JudgeCall, settings: Settings) -> None:
        self._in_service, self._settings = in_service, settings
        self._made: dict[str, JudgeCall] = {}
        self._making = asyncio.Lock()

    def offered(self) -> list[tuple[str, str]]:
        """(title, name) of each, the one in service first. Asks the registry, so not on an event loop."""
        found = [(f"in service ({self._settings.judge})", IN_SERVICE)]
        for maker in entry_points(group=GROUP):
            try:
                found += maker.load()(self._settings)
            except ImportError:  # the extra is not installed
                continue
            except ValueError as error:
                log.warning("what is registered cannot be listed: %s", error)
        return found + [(name, name) for name in ALONE if name != self._settings.judge]

    async def judge(self, name: str, bank: Bank, ask: Ask) -> Evaluation:
        """Marks one answer by the judge of this name.

        Raises:
            EngineError: It is none that is offered, or cannot be loaded; the message says what to do.
        """
        if name == IN_SERVICE:
            return await self._in_service(bank, ask)
        async with self._making:
            if name not in self._made:
                made = await asyncio.to_thread(self._make, name)
                while len(self._made) >= MOST_KEPT:
                    del self._made[next(iter(self._made))]
                self._made[name] = made
        return await self._made[name](bank, ask)

    def _make(self, name: str) -> JudgeCall:
        known = [one for _, one in self.offered()]
        if name not in known:  # a name may be a path: only what is offered is loaded
            raise EngineError("judge", f"no judge {name!r} is offered here; choose one of the list")
        return judge_call(make_judge(name, self._settings))
