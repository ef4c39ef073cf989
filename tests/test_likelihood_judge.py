"""The judge that asks a language model: from scores to marks, its leaning, what it is not asked, and failures."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from finetune.answers import exemplars
from finetune.choosing import chosen_by_hash
from tests.model_servers import LabelServer, serving
from tests.test_judge_attacks import ALL
from workbench.engines.base import ChatMessage, EngineError
from workbench.engines.label_scoring import normalised
from workbench.exam.items import KeyPoint, Question
from workbench.exam.judge_prompts import key_point_prompts
from workbench.judging.base import MODERATE_BELOW
from workbench.judging.calibration import STATUSES, mark_probability, marked
from workbench.judging.likelihood import NO_ANSWER_IS, LikelihoodJudge
from workbench.judging.registry import make_judge
from workbench.judging.spare import WithSpare
from workbench.settings import Settings

SCENARIO, QUESTION = ALL[0]
SECRET_WORDS = "the patient confided in me"


def embed(texts: Sequence[str]) -> Any:
    """Unit vectors by the letters of a text."""
    counts = np.array([[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts])
    return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


class Scorer:
    """Says for each point what it was told to, by the point's text, "*" for others; `nothing` without an answer."""

    name = "scripted"
    scored_model = "scripted-1"

    def __init__(self, says: dict[str, tuple[float, float, float]], nothing: tuple[float, float, float] | None = None):
        self.says, self.nothing = says, nothing
        self.chats: list[str] = []
        self.models: list[str | None] = []
        self.threads: set[int] = set()
        self.fails = False

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    async def score_many(
        self, chats: Sequence[Sequence[ChatMessage]], labels: Sequence[str], *, model: str | None = None, **more: Any
    ) -> list[tuple[float, ...]]:
        assert tuple(labels) == ("covered", "wrong", "missing")
        await asyncio.sleep(0)
        if self.fails:
            raise EngineError("scripted", "is down")
        self.threads.add(threading.get_ident())
        self.models.append(model)
        found = []
        for chat in chats:
            text = chat[-1]["content"]
            self.chats.append(text)
            empty = 'Answer: "N/A"' in text or 'Answer: ""' in text
            point = text.split("Point: ")[1].split("\n")[0]
            chances = self.nothing if empty and self.nothing else self.says.get(point, self.says["*"])
            found.append(normalised([math.log(chance) for chance in chances]))
        return found


def question(*weights: float) -> Question:
    points = tuple(KeyPoint(f"p{i}", f"Point {i}.", weight, (f"point {i}",)) for i, weight in enumerate(weights))
    return Question("q", "What are the points?", points, "All of them. Really.", 1, "remember", ("nobody",))


# ---- marks


def test_verdict_points_and_confidence_follow_from_the_likeliest_status_of_each_key_point() -> None:
    asked = question(0.5, 0.3, 0.2)
    says = {"Point 0.": (0.8, 0.1, 0.1), "Point 1.": (0.2, 0.1, 0.7), "Point 2.": (0.1, 0.6, 0.3), "*": (1, 1, 1)}
    judge = LikelihoodJudge(Scorer(says), embed, leaning=False)  # type: ignore[arg-type]
    mark = judge.judge(asked, "I think it is the mitral valve, and the pressure rises.")
    assert [e.status for e in mark.evidence] == ["covered", "missing", "contradicted"]
    assert (mark.verdict, mark.points) == marked(asked, ["covered", "missing", "contradicted"])
    chances = np.array([says[f"Point {i}."] for i in range(3)])
    assert mark.confidence == pytest.approx(mark_probability(asked, chances, mark.verdict), abs=1e-3)
    assert mark.judge == judge.name == "llm-1 (scripted-1)"


def test_the_model_is_asked_in_the_words_of_the_shared_prompt_builder_with_the_scenario() -> None:
    scorer = Scorer({"*": (0.4, 0.3, 0.3)})
    LikelihoodJudge(scorer, embed, model="viva-examiner", leaning=False).judge(  # type: ignore[arg-type]
        QUESTION, QUESTION.exemplars[0].text, question_text=SCENARIO.text
    )
    prompts = key_point_prompts(QUESTION, QUESTION.exemplars[0].text, scenario=SCENARIO.text)
    assert scorer.chats == [prompt.messages[-1]["content"] for prompt in prompts]
    assert set(scorer.models) == {"viva-examiner"}


@pytest.mark.parametrize("answer", ["", " \n ", "um", QUESTION.stem])
def test_what_earns_nothing_is_not_put_to_the_model(answer: str) -> None:
    scorer = Scorer({"*": (0.9, 0.05, 0.05)})
    mark = LikelihoodJudge(scorer, embed).judge(QUESTION, answer, question_text=SCENARIO.text)  # type: ignore[arg-type]
    assert (mark.verdict, mark.points) == ("incorrect", 0) and not scorer.chats


def test_a_heap_of_terms_earns_nothing_however_sure_the_model_is() -> None:
    heap = ", ".join(wording for point in QUESTION.key_points for wording in point.accepted)
    scorer = Scorer({"*": (0.9, 0.05, 0.05)})
    mark = LikelihoodJudge(scorer, embed).judge(QUESTION, heap)  # type: ignore[arg-type]
    assert mark.points == 0 and mark.confidence < MODERATE_BELOW


# ---- the leaning of a model that was not trained to judge


def test_a_leaning_is_taken_off_so_that_an_answer_that_changes_nothing_is_missing() -> None:
    leans = (0.9, 0.08, 0.02)
    judge = LikelihoodJudge(Scorer({"*": leans}, leans), embed)  # type: ignore[arg-type]
    np.testing.assert_allclose(judge.probabilities(question(1.0), "It is what it is."), [NO_ANSWER_IS], atol=1e-6)
    assert STATUSES[int(np.argmax(NO_ANSWER_IS))] == "missing"
    without = LikelihoodJudge(Scorer({"*": leans}, leans), embed, leaning=False)  # type: ignore[arg-type]
    np.testing.assert_allclose(without.probabilities(question(1.0), "It is what it is."), [leans], atol=1e-6)


def test_what_an_answer_adds_to_the_leaning_counts() -> None:
    judge = LikelihoodJudge(Scorer({"*": (0.1, 0.1, 0.8)}, (0.01, 0.09, 0.9)), embed)  # type: ignore[arg-type]
    (row,) = judge.probabilities(question(1.0), "An answer.")
    expected = np.array([0.1 / 0.01, 0.1 / 0.09, 0.8 / 0.9]) * NO_ANSWER_IS
    np.testing.assert_allclose(row, expected / expected.sum(), atol=1e-6)
    assert row.argmax() == 0


def test_the_leaning_is_measured_once_a_question() -> None:
    scorer = Scorer({"*": (0.4, 0.3, 0.3)})
    judge = LikelihoodJudge(scorer, embed)  # type: ignore[arg-type]
    for answer in ("One answer.", "Another answer."):
        judge.probabilities(question(0.6, 0.4), answer)
    assert sum('Answer: "N/A"' in chat for chat in scorer.chats) == 2
    assert sum("answer." in chat for chat in scorer.chats) == 4


# ---- waiting, and failing


async def test_judges_wait_off_the_event_loop_and_all_on_the_same_one() -> None:
    scorer = Scorer({"*": (0.4, 0.3, 0.3)})
    judge = LikelihoodJudge(scorer, embed)  # type: ignore[arg-type]
    marks = await asyncio.gather(
        *(asyncio.to_thread(judge.judge, QUESTION, exemplar.text) for exemplar in QUESTION.exemplars)
    )
    assert len(marks) == len(QUESTION.exemplars)
    assert len(scorer.threads) == 1 and threading.get_ident() not in scorer.threads


def test_a_failing_model_is_an_error_where_no_other_judge_may_step_in() -> None:
    scorer = Scorer({"*": (1, 1, 1)})
    scorer.fails = True
    with pytest.raises(EngineError, match="is down"):
        LikelihoodJudge(scorer, embed).judge(QUESTION, QUESTION.exemplars[0].text)  # type: ignore[arg-type]


def test_in_a_viva_another_judge_steps_in_says_so_and_has_a_person_look(caplog: pytest.LogCaptureFixture) -> None:
    scorer = Scorer({"*": (0.98, 0.01, 0.01)})
    spare = make_judge("keyword", Settings(_env_file=None))  # type: ignore[call-arg]
    judge = WithSpare(LikelihoodJudge(scorer, embed, leaning=False), spare)  # type: ignore[arg-type]
    text = f"{QUESTION.exemplars[0].text} And {SECRET_WORDS}."
    assert judge.judge(QUESTION, text).judge == judge.name == "llm-1 (scripted-1)"
    scorer.fails = True
    with caplog.at_level(logging.DEBUG):
        mark = judge.judge(QUESTION, text)
    expected = spare.judge(QUESTION, text)
    assert (mark.judge, mark.points, mark.evidence) == (spare.name, expected.points, expected.evidence)
    assert mark.confidence < MODERATE_BELOW
    assert "is down" in caplog.text and SECRET_WORDS not in caplog.text


@pytest.mark.weights
async def test_an_adapter_on_a_server_marks_by_its_name_alone() -> None:
    replies = [[("covered", -0.1)], [("wrong", -3.0)], [("missing", -4.0)]]
    server = LabelServer({"base": replies[::-1], "viva-examiner": replies})
    async with serving(server.app()) as address:
        settings = Settings(  # type: ignore[call-arg]
            _env_file=None, judge_llm="http", judge_url=f"http://{address}", judge_model="viva-examiner"
        )
        judge = make_judge("llm", settings)
        mark = await asyncio.to_thread(judge.judge, QUESTION, QUESTION.exemplars[0].text)
    assert (mark.judge, mark.verdict, mark.points) == ("llm-1 (viva-examiner)", "correct", 10.0)
    assert {body["model"] for body in server.seen.requests} == {"viva-examiner"}
    assert len(server.seen.requests) == len(QUESTION.key_points), "a trained model's leaning is left alone"


@pytest.mark.parametrize(
    ("values", "calibrated"),
    [({}, True), ({"judge_calibrated": False}, False), ({"judge_model": "a"}, False),
     ({"judge_model": "a", "judge_calibrated": True}, True)],
)  # fmt: skip
@pytest.mark.weights
def test_an_untrained_model_is_calibrated_unless_told_otherwise(values: dict[str, Any], calibrated: bool) -> None:
    settings = Settings(_env_file=None, judge="llm", **values)  # type: ignore[call-arg]
    judge = make_judge("llm", settings, scorer=Scorer({"*": (1, 1, 1)}))
    assert judge.name.endswith("calibrated)") == calibrated


# ---- measuring on a part


def test_a_part_is_chosen_by_hash_whatever_the_order_and_a_larger_one_holds_the_smaller() -> None:
    rows = exemplars("held-out")
    few, more = ([row.text for row in chosen_by_hash(rows, n, lambda row: row.text)] for n in (20, 60))
    assert len(few) == 20 and set(few) < set(more)
    assert sorted(few) == sorted(row.text for row in chosen_by_hash(rows[::-1], 20, lambda row: row.text))
    assert chosen_by_hash(rows, None, lambda row: row.text) == rows
