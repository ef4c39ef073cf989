"""A second judge that marks in the background: its marks count for nothing, and how far they agree is written down.

No word of an answer is kept, and nothing that tells whose it was.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from workbench.engines.base import EngineError
from workbench.engines.worker import CancelFlag, Worker
from workbench.exam.items import Bank
from workbench.exam.model import Evaluation
from workbench.exam.model import Judge as Ask
from workbench.judging.base import Judge
from workbench.judging.registry import JudgeCall, find_question, make_judge
from workbench.settings import Settings

log = logging.getLogger(__name__)

FILE = "shadow.jsonl"
"""Name of the file below the data directory."""

MOST_WAITING = 32
"""Answers that may wait for the second judge; further ones go without."""

NICE = 10


class Shadow:
    """Marks beside the judge in service.

    A candidate's answer is judged anew whenever it grows; only the last version of it waits for the second judge.

    Args:
        call: The judge in service.
        judge: The second one.
        path: File that takes a JSON line an answer.
        now: The time of day.
    """

    def __init__(
        self, call: JudgeCall, judge: Judge, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._call, self._judge, self._path, self._now = call, judge, path, now
        self._worker = Worker("shadow", nice=NICE)
        self._tasks: dict[tuple[object, str, str], asyncio.Task[None]] = {}

    async def __call__(self, bank: Bank, ask: Ask) -> Evaluation:
        """The mark of the judge in service, as soon as it is there."""
        mark = await self._call(bank, ask)
        key = (asyncio.get_running_loop(), bank.discipline, ask.question_id)
        if (earlier := self._tasks.pop(key, None)) is not None:
            earlier.cancel()
        if len(self._tasks) < MOST_WAITING:
            task = asyncio.create_task(self._beside(bank, ask, mark))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._tasks.get(key) is done and self._tasks.pop(key))
        return mark

    async def settle(self) -> None:
        """Waits until what is under way is written down."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _beside(self, bank: Bank, ask: Ask, mark: Evaluation) -> None:
        scenario, question = find_question(bank, ask.question_id)

        def job(flag: CancelFlag) -> None:
            flag.check()
            started = time.perf_counter()
            other = self._judge.judge(
                question, ask.answer, question_text=scenario.text, recognition_confidence=ask.confidence
            )
            ms = 1000 * (time.perf_counter() - started)
            line = {
                "at": self._now().isoformat(timespec="seconds"),
                "discipline": bank.discipline,
                "question_id": ask.question_id,
                "in_service": _kept(mark),
                "shadow": _kept(other),
                "agree": mark.verdict == other.verdict,
                "ms": round(ms, 1),
            }
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

        try:
            await self._worker.run(job, priority="idle")
        except Exception as error:  # whatever the second judge does, the viva goes on
            log.warning("the shadow judge %s failed: %s", self._judge.name, type(error).__name__)


def shadowed(call: JudgeCall, settings: Settings) -> JudgeCall:
    """The judge in service with the one of `VIVA_JUDGE_SHADOW` beside it; alone where there is none, or it is not had.

    Args:
        call: The judge in service.
        settings: Name the second judge, and where the file goes.
    """
    if settings.judge_shadow is None:
        return call
    try:
        judge = make_judge(settings.judge_shadow, settings)
    except (ValueError, EngineError) as error:  # a challenger that was promoted is challenger no more
        log.warning("no judge marks in the background: VIVA_JUDGE_SHADOW=%s: %s", settings.judge_shadow, error)
        return call
    return Shadow(call, judge, settings.data_dir / FILE)


def _kept(mark: Evaluation) -> dict[str, object]:
    return {"judge": mark.judge, "verdict": mark.verdict, "points": mark.points, "confidence": mark.confidence}
