"""The judge that asks a language model: for each key point, how likely its reply is *covered*, *wrong* or *missing*.

The model writes nothing. What it is asked, and which words count, is `workbench.exam.judge_prompts`, the same in
training.

A model that was not trained to judge leans towards some words whatever the answer is. Its leaning is measured on
answers without content and taken off (contextual calibration: Zhao et al. 2021, Calibrate before use, ICML, section 5;
here such an answer comes to "missing" rather than to a draw).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.engines.base import LabelScorer
from workbench.engines.bridge import wait_for
from workbench.exam.items import Question
from workbench.exam.judge_prompts import NO_ANSWER, VERSION, JudgePrompt, key_point_prompts
from workbench.exam.model import Evaluation
from workbench.judging.base import Embed
from workbench.judging.calibration import STATUSES
from workbench.judging.evaluation import earns_nothing, evaluation
from workbench.judging.features import Measurer

NO_ANSWER_IS = (0.2, 0.2, 0.6)
"""What an answer without content comes to after the leaning was taken off: covered, contradicted, missing."""

KEPT_LEANINGS = 2000
"""Questions whose leaning is kept; those of all banks fit in."""


class LikelihoodJudge:
    """Key points by the likelihood of labels; verdict and points follow from them.

    Args:
        scorer: The language model.
        embed: The sentence encoder, which finds the words that are quoted.
        model: Model or adapter the scorer is asked for; None takes its own.
        leaning: Whether to take off how the model leans without an answer: for models not trained to judge.
    """

    def __init__(self, scorer: LabelScorer, embed: Embed, *, model: str | None = None, leaning: bool = True) -> None:
        self._scorer = scorer
        self._model = model
        self._measurer = Measurer(embed)
        self._takes_off_leaning = leaning
        self._leanings: dict[tuple[str, ...], NDArray[np.float64]] = {}

    @property
    def name(self) -> str:
        """Name, version of the prompts, the model or adapter that marks, and whether its leaning is taken off."""
        calibrated = ", calibrated" if self._takes_off_leaning else ""
        return f"llm-{VERSION} ({self._model or self._scorer.scored_model}{calibrated})"

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `Judge`.

        Raises:
            EngineError: The model could not be asked.
        """
        measured = self._measurer.measure(question, answer, question_text, spoken=recognition_confidence < 1)
        if earns_nothing(measured):
            chances = np.tile(np.array([0.0, 0.0, 1.0]), (len(question.key_points), 1))
        else:
            chances = self.probabilities(question, answer, scenario=question_text)
        return evaluation(question, measured, chances, self.name, recognition_confidence)

    def probabilities(self, question: Question, answer: str, *, scenario: str = "") -> NDArray[np.float64]:
        """(n_key_points, 3): covered, contradicted, missing, by the model alone.

        Raises:
            EngineError: The model could not be asked.
        """
        scores = self._scores(key_point_prompts(question, answer, scenario=scenario))
        if self._takes_off_leaning:
            scores = scores - self._leaning(question, scenario) + np.log(np.array(NO_ANSWER_IS))
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    def _leaning(self, question: Question, scenario: str) -> NDArray[np.float64]:
        """(n_key_points, 3) log-probabilities, the mean over answers without content."""
        key = (scenario, question.stem, *(point.text for point in question.key_points))
        if key not in self._leanings:
            asked = [key_point_prompts(question, nothing, scenario=scenario) for nothing in NO_ANSWER]
            said = [np.exp(self._scores(prompts)) for prompts in asked]
            if len(self._leanings) >= KEPT_LEANINGS:
                self._leanings.clear()
            self._leanings[key] = np.log(np.mean(said, axis=0) + 1e-9)
        return self._leanings[key]

    def _scores(self, prompts: tuple[JudgePrompt, ...]) -> NDArray[np.float64]:
        """(n_prompts, 3) log-probabilities in the order of `STATUSES`."""
        labels = tuple(prompts[0].label_of(status) for status in STATUSES)
        chats = [prompt.messages for prompt in prompts]
        return np.array(wait_for(self._scorer.score_many(chats, labels, model=self._model)))
