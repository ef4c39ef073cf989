"""A judge with a second one behind it: a server that is down must not end a viva."""

from __future__ import annotations

import logging
from dataclasses import replace

from workbench.engines.base import EngineError
from workbench.exam.items import Question
from workbench.exam.model import Evaluation
from workbench.judging.base import MODERATE_BELOW, Judge

log = logging.getLogger(__name__)


class WithSpare:
    """Marks by the first judge, and by the spare one where its model fails; the mark then says so and is moderated.

    Args:
        judge: Whose marks are wanted.
        spare: One that needs no server.
    """

    def __init__(self, judge: Judge, spare: Judge) -> None:
        self._judge, self._spare = judge, spare

    @property
    def name(self) -> str:
        """Name of the judge that is wanted."""
        return self._judge.name

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`."""
        given = {"question_text": question_text, "recognition_confidence": recognition_confidence}
        try:
            return self._judge.judge(question, answer, **given)  # type: ignore[arg-type]
        except EngineError as error:
            log.warning("%s failed, %s marks instead: %s", self._judge.name, self._spare.name, error)
            mark = self._spare.judge(question, answer, **given)  # type: ignore[arg-type]
            return replace(mark, confidence=min(mark.confidence, MODERATE_BELOW - 0.1))
