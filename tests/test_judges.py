"""Judges behind one interface: what each makes of an answer, and what must hold for all of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finetune.answers import exemplars, ticked
from finetune.attacks import WITHOUT_MARKS
from finetune.metrics import scores
from tests.test_judge_attacks import ALL
from workbench.engines.sentence_encoder import SentenceEncoder, create
from workbench.exam.bank import load_banks
from workbench.exam.grading import KeywordJudge
from workbench.exam.items import KeyPoint, Question
from workbench.exam.matching import read_answer
from workbench.judging.base import Judge
from workbench.judging.calibration import Calibration, mark_probability, marked
from workbench.judging.features import FEATURES
from workbench.judging.panel import Panel, disagreement
from workbench.judging.passages import denies, passages
from workbench.judging.registry import JUDGES, make_judge
from workbench.settings import Settings

CARDIOLOGY = load_banks()["medical"].area("cardiology")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]


@pytest.fixture(scope="module", params=sorted(JUDGES))
def judge(request: pytest.FixtureRequest, settings: Settings) -> Judge:
    return make_judge(request.param, settings)


@pytest.fixture(scope="module")
def hybrid(settings: Settings) -> Judge:
    return make_judge("hybrid", settings)


def question(*weights: float) -> Question:
    points = tuple(KeyPoint(f"p{i}", f"Point {i}.", weight, (f"point {i}",)) for i, weight in enumerate(weights))
    return Question("q", "What are the points?", points, "All of them. Really.", 1, "remember", ("nobody",))


# ---- the encoder


@pytest.mark.weights
def test_the_encoder_gives_unit_vectors_in_which_meaning_is_near(settings: Settings) -> None:
    encode = create(settings)
    vectors = encode(["a heart attack", "myocardial infarction", "the weather in spring"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


@pytest.mark.weights
def test_a_text_has_the_same_vector_whatever_is_encoded_beside_it(settings: Settings) -> None:
    encode = create(settings)
    alone = encode(["the inferior wall"])
    beside = encode(["the inferior wall", "a much longer sentence about something else that has many more words in it"])
    np.testing.assert_allclose(alone[0], beside[0], atol=0.02)


def test_missing_weights_say_how_to_fetch_them(tmp_path: Path) -> None:
    from workbench.engines.base import EngineError

    with pytest.raises(EngineError, match="viva models pull"):
        create(Settings(_env_file=None, models_dir=tmp_path))  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="cannot load"):
        SentenceEncoder(tmp_path)(["a text"])


# ---- passages


def test_passages_carry_their_stance_and_leave_out_what_was_taken_back() -> None:
    asked = CARDIOLOGY.questions[0]
    text = "I would give aspirin, but I would not give nitrates. It is the LAD, no sorry, the right coronary."
    found = passages(read_answer(asked, text, ""))
    assert any("aspirin" in p.text and not p.denied for p in found)
    assert any("nitrates" in p.text and "aspirin" not in p.text and p.denied for p in found)
    for passage in found:
        assert text[passage.start : passage.end] == passage.text


def test_an_echo_of_the_question_is_in_no_passage() -> None:
    scenario, asked = ALL[0]
    assert not passages(read_answer(asked, asked.stem, f"{scenario.text} {asked.stem}"))


@pytest.mark.parametrize(("wording", "expected"), [("avoid nitrates", True), ("give fluid", False)])
def test_a_wording_of_the_bank_may_be_a_denial(wording: str, expected: bool) -> None:
    assert denies(wording) is expected


# ---- every judge


@pytest.mark.weights
def test_a_judge_gives_evidence_for_every_key_point_in_order_with_words_of_the_answer(judge: Judge) -> None:
    scenario, asked = ALL[0]
    for exemplar in asked.exemplars:
        mark = judge.judge(asked, exemplar.text, question_text=scenario.text)
        assert [e.key_point_id for e in mark.evidence] == [p.id for p in asked.key_points]
        assert all(e.quote in exemplar.text for e in mark.evidence)
        assert all(bool(e.quote) == (e.status != "missing") for e in mark.evidence)
        assert (mark.verdict, mark.points) == marked(asked, [e.status for e in mark.evidence])
        assert 0 <= mark.confidence <= 1 and mark.judge == judge.name


@pytest.mark.weights
@pytest.mark.parametrize("text", ["", " \n ", "...", "um"])
def test_an_answer_without_words_earns_nothing_from_any_judge(judge: Judge, text: str) -> None:
    mark = judge.judge(ALL[0][1], text)
    assert (mark.verdict, mark.points) == ("incorrect", 0)
    assert {e.status for e in mark.evidence} == {"missing"}


@pytest.mark.weights
def test_an_unsure_recogniser_makes_every_judge_less_sure_and_changes_no_mark(judge: Judge) -> None:
    scenario, asked = ALL[0]
    text = asked.exemplars[0].text
    sure = judge.judge(asked, text, question_text=scenario.text)
    unsure = judge.judge(asked, text, question_text=scenario.text, recognition_confidence=0.5)
    assert unsure.confidence < sure.confidence and unsure.points == sure.points


def test_an_unknown_judge_names_the_known_ones(settings: Settings) -> None:
    with pytest.raises(ValueError, match="keyword"):
        make_judge("oracle", settings)


# ---- hybrid


@pytest.mark.weights
def test_the_hybrid_hears_words_that_no_bank_lists(hybrid: Judge) -> None:
    asked = CARDIOLOGY.question("card-inferior-diagnosis")
    mark = hybrid.judge(
        asked, "The muscle at the bottom of his heart is dying because the artery on the right is blocked."
    )
    assert {e.key_point_id: e.status for e in mark.evidence}["rca"] == "covered"


@pytest.mark.weights
@pytest.mark.parametrize("kind", WITHOUT_MARKS)
def test_an_attack_earns_next_to_nothing_from_the_hybrid(hybrid: Judge, kind: str) -> None:
    points = [hybrid.judge(q, WITHOUT_MARKS[kind](s, q), question_text=s.text) for s, q in ALL]
    assert sum(mark.verdict == "correct" for mark in points) <= 0.01 * len(points)
    assert sum(mark.points > 3 for mark in points) <= 1


@pytest.mark.weights
@pytest.mark.slow
def test_the_hybrid_keeps_the_agreement_it_was_published_with(hybrid: Judge) -> None:
    rows = [row for row in exemplars("held-out") if row.discipline in ("medical", "law")]
    marks = [hybrid.judge(row.question, row.text, question_text=row.scenario) for row in rows]
    found = scores(
        [row.verdict for row in rows],
        [mark.verdict for mark in marks],
        [row.points for row in rows],
        [mark.points for mark in marks],
        [row.question.id for row in rows],
    )
    assert found["macro_f1"]["value"] >= 0.85 and found["qwk"]["value"] >= 0.8


# ---- calibration


def test_a_calibration_for_other_features_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    data = json.loads((Path("workbench/judging") / "hybrid.json").read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "features": ["other"]}), encoding="utf-8")
    with pytest.raises(ValueError, match="viva-finetune calibrate"):
        Calibration.load(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="is no calibration"):
        Calibration.load(path)


def test_a_calibration_is_written_where_no_folder_is_yet(tmp_path: Path) -> None:
    built_in = Calibration.load()
    built_in.save(tmp_path / "new" / "mine.json")
    assert Calibration.load(tmp_path / "new" / "mine.json") == built_in


def test_the_probabilities_of_three_verdicts_add_up_to_one() -> None:
    asked = question(0.5, 0.3, 0.2)
    chances = Calibration.load().probabilities(np.random.default_rng(0).random((3, len(FEATURES))))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    total = sum(mark_probability(asked, chances, verdict) for verdict in ("correct", "partial", "incorrect"))
    assert total == pytest.approx(1)


def test_ticked_answers_fit_their_questions_and_are_no_exemplars() -> None:
    rows = ticked()
    texts = {row.text for row in exemplars("all")}
    assert len(rows) >= 800 and not texts & {row.text for row in rows}
    assert {len(row.statuses) == len(row.question.key_points) for row in rows} == {True}


# ---- panel


class Fixed:
    """Gives the statuses it was made with."""

    def __init__(self, name: str, *statuses: str) -> None:
        self.name, self._statuses = name, statuses

    def judge(self, question: Question, answer: str, **more: object) -> object:
        from workbench.exam.model import Evaluation, KeyPointEvidence

        evidence = tuple(
            KeyPointEvidence(p.id, s, answer if s != "missing" else "", p.weight)  # type: ignore[arg-type]
            for p, s in zip(question.key_points, self._statuses, strict=True)
        )
        return Evaluation(question.id, *marked(question, list(self._statuses)), evidence, 1.0, self.name)


def test_a_panel_goes_by_majority_and_says_how_far_it_agrees() -> None:
    asked = question(0.6, 0.4)
    judges = [Fixed("a", "covered", "missing"), Fixed("b", "covered", "covered"), Fixed("c", "missing", "missing")]
    mark = Panel(judges).judge(asked, "words")  # type: ignore[arg-type]
    assert [e.status for e in mark.evidence] == ["covered", "missing"]
    assert mark.verdict == "correct" and mark.confidence == pytest.approx(2 / 3, abs=1e-3)
    assert disagreement([j.judge(asked, "words") for j in judges]) == 1.0  # type: ignore[misc]


def test_where_a_panel_has_no_majority_nothing_is_earned() -> None:
    asked = question(0.6, 0.4)
    judges = [Fixed("a", "covered", "covered"), Fixed("b", "contradicted", "covered"), Fixed("c", "missing", "covered")]
    mark = Panel(judges).judge(asked, "words")  # type: ignore[arg-type]
    assert mark.evidence[0].status == "missing"


def test_a_panel_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="two judges"):
        Panel([KeywordJudge()])


# ---- the figures


def test_agreement_with_oneself_is_perfect_and_its_interval_has_no_width() -> None:
    verdicts = ["correct", "partial", "incorrect", "correct"]
    found = scores(verdicts, verdicts, [10, 5, 0, 8], [10, 5, 0, 8], ["a", "a", "b", "b"])
    assert found["macro_f1"]["value"] == found["qwk"]["value"] == 1 and found["rmse"]["value"] == 0
    assert found["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_points_at_opposite_ends_have_a_negative_kappa() -> None:
    found = scores(["correct", "incorrect"], ["incorrect", "correct"], [10, 0], [0, 10], ["a", "b"])
    assert found["qwk"]["value"] == -1
    assert found["confusion"] == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
