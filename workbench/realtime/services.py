"""What every conversation of a process shares: engines, banks, store, tickets, and the judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workbench.engines.base import Engines
from workbench.engines.worker import Worker
from workbench.exam.items import Bank
from workbench.exam.model import ExamSetup
from workbench.judging.registry import JudgeCall, judge_by_key_points
from workbench.realtime.protocol import ProtocolError, VivaOptions
from workbench.realtime.speaker import PhraseCache
from workbench.realtime.tickets import Tickets
from workbench.settings import Settings
from workbench.store.repository import Store


@dataclass(frozen=True)
class Services:
    """Shared by all conversations of one process."""

    settings: Settings
    engines: Engines
    banks: Mapping[str, Bank]
    store: Store
    tickets: Tickets
    phrases: PhraseCache
    judge: JudgeCall = judge_by_key_points
    store_thread: Worker = field(default_factory=lambda: Worker("store"))
    clock: Callable[[], float] = field(default=time.monotonic)

    def bank(self, options: VivaOptions) -> Bank:
        """The bank a client asked for.

        Raises:
            ProtocolError: No such discipline or area; the error lists those there are.
        """
        bank = self.banks.get(options.discipline)
        if bank is None:
            raise ProtocolError(
                f"unknown discipline {options.discipline!r}; allowed: {', '.join(sorted(self.banks))}",
                param="session.viva.discipline",
                code="unknown_discipline",
            )
        keys = [area.key for area in bank.areas]
        if options.area is not None and options.area not in keys:
            raise ProtocolError(
                f"{options.discipline} has no area {options.area!r}; allowed: {', '.join(keys)}",
                param="session.viva.area",
                code="unknown_area",
            )
        return bank

    def setup(self, options: VivaOptions, seed: int, *, results_held: bool = False) -> ExamSetup:
        """The exam's setup from what a client asked for and the settings."""
        return ExamSetup(
            discipline=options.discipline,
            area=options.area,
            candidate=options.candidate,
            consented=options.consent,
            mode=options.mode,
            seed=seed,
            question_time_s=self.settings.question_time_s,
            warning_before_s=self.settings.warning_before_s,
            extra_time=options.extra_time,
            results_held=results_held,
        )
