"""Graders fitted on graded answers: what they measure, what they learn, and that they come back from a file."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from finetune.answers import exemplars, ticked
from finetune.attacks import attacks
from finetune.choosing import chosen_by_hash
from finetune.corpora import LABELS, CorpusError
from finetune.floor_grader import FloorGrader
from finetune.graded_judge import DOUBTED, GradedJudge, Grader, refuted
from finetune.hybrid_grader import HybridGrader, folds_by_question, left_out_labels, macro_offsets
from finetune.pair_features import Pair, aligned_terms, fit_idf, lexical, nearness, respelled, tokens
from finetune.references import reference_question
from finetune.vectors import ENCODERS, Vectors, encoder
from workbench.engines.base import EngineError
from workbench.exam.bank import load_banks
from workbench.settings import Settings

WORDS = "iron wood water stone glass paper cotton copper silver rubber plastic leather marble cement bronze".split()
VERBS = "melts burns floats sinks bends breaks shines rusts grows shrinks".split()


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Stands in for an encoder: a bag of hashed stems."""
    rows = np.full((len(texts), 64), 1e-3, np.float32)
    for row, text in zip(rows, texts, strict=True):
        for token in tokens(text):
            row[sum(map(ord, token)) * 31 % 64] += 1
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def made_up(n_questions: int, seed: int) -> tuple[list[Pair], list[str], list[str]]:
    """Questions whose reference says two things: an answer that says both, one, or neither."""
    draw = random.Random(seed)
    pairs, labels, groups = [], [], []
    for number in range(n_questions):
        (a, b, c, d), (v, w, x, y) = draw.sample(WORDS, 4), draw.sample(VERBS, 4)
        question = f"What happens to {a} and {b} in case {seed} {number}?"
        for label, answer in (
            ("correct", f"the {a} {v} and the {b} {w}"),
            ("correct", f"{b} {w} but {a} {v}"),
            ("partial", f"the {a} {v}"),
            ("partial", f"the {b} {w} and the {c} {x}"),
            ("incorrect", f"the {c} {x} and the {d} {y}"),
            ("incorrect", f"{d} {y}"),
        ):
            pairs.append(Pair(question, (f"The {a} {v}, the {b} {w}.",), answer))
            labels.append(label)
            groups.append(f"{seed}:{number}")
    return pairs, labels, groups


@pytest.fixture(scope="module", params=["tfidf", "hybrid"])
def grader(request: pytest.FixtureRequest) -> Grader:
    made: Grader = (
        FloorGrader()
        if request.param == "tfidf"
        else HybridGrader("hybrid-made-up-1", ENCODERS, {name: Vectors(embed) for name in ENCODERS})
    )
    made.fit(*made_up(40, 1))
    return made


# ---- what is measured


def test_an_answer_equal_to_the_reference_has_full_overlap_and_one_beside_the_point_none() -> None:
    idf = fit_idf(["The water evaporates.", "Salt stays behind."])
    right = lexical(Pair("What happens?", ("The water evaporates.",), "the water evaporates"), idf)
    wrong = lexical(Pair("What happens?", ("The water evaporates.",), "dinosaurs lived"), idf)
    for name in ("recall_best", "precision_best", "f1_max", "jaccard_mean", "token_sort_best"):
        assert right[name] == pytest.approx(1, abs=1e-6) and wrong[name] < 0.4
    assert wrong["recall_best"] == 0 and wrong["novel"] == pytest.approx(1)
    assert list(right) == list(wrong)


def test_the_best_of_several_references_counts() -> None:
    pair = Pair("Why is it off?", ("The bulb is broken.", "There is a gap in the path."), "there is a gap in the path")
    found = lexical(pair, fit_idf(pair.references))
    assert found["recall_best"] == pytest.approx(1) and found["recall_mean"] < 0.8


@pytest.mark.parametrize(
    ("answer", "reference", "name"),
    [
        ("the path is not closed", "The path is closed.", "polarity_best"),
        ("the switch is open", "The switch is closed.", "opposite"),
        ("terminal 4 is connected", "Terminal 1 is connected.", "figures_wrong"),
        ("yes it would", "Yes, it would.", "yes_no"),
        ("i don't know", "It melts.", "unknown"),
    ],
)
def test_what_turns_an_answer_round_is_measured(answer: str, reference: str, name: str) -> None:
    idf = fit_idf([reference])
    assert lexical(Pair("Which?", (reference,), answer), idf)[name] > 0
    assert lexical(Pair("Which?", (reference,), "the heat of that"), idf)[name] == 0


def test_slips_of_the_pen_are_mended_towards_words_that_were_asked_for() -> None:
    assert respelled("the termianl is conected", tokens("The terminal is connected.")) == tokens(
        "the terminal is connected"
    )
    assert respelled("the cat sat", tokens("The car sat.")) == tokens("the cat sat")


def test_terms_say_what_was_hit_missed_and_added_and_figures_are_places() -> None:
    pair = Pair("Why?", ("Terminal 4 is connected to the gap.",), "terminal 4 and bulb 7 is connected")
    found = set(aligned_terms(pair, fit_idf(pair.references)))
    assert {"hit:termin", "hit:KNOWN", "hit:connect", "miss:gap", "extra:bulb", "extra:OTHER"} <= found
    assert "say:termin KNOWN" in found and not any("4" in term or "7" in term for term in found)


def test_nearness_is_greatest_for_the_reference_itself() -> None:
    vector = Vectors(embed)
    same = nearness(Pair("Why?", ("The iron melts.",), "The iron melts."), vector, "x")
    other = nearness(Pair("Why?", ("The iron melts.",), "Paper burns."), vector, "x")
    assert same["x_near_max"] == pytest.approx(1, abs=1e-3)
    assert other["x_near_max"] < 0.5
    assert same["x_beyond_max"] > other["x_beyond_max"]


# ---- vectors


def test_vectors_are_encoded_once_and_kept_in_a_file(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def counted(texts: Sequence[str]) -> NDArray[np.float32]:
        calls.append(list(texts))
        return embed(texts)

    file = tmp_path / "kept.npz"
    assert Vectors(counted, file).prepare(["iron", "wood", "iron"]) == 2
    again = Vectors(counted, file)
    assert again.prepare(["wood", "iron", "water"]) == 1
    np.testing.assert_array_equal(again("iron"), embed(["iron"])[0])
    assert sorted(text for call in calls for text in call) == ["iron", "water", "wood"]


def test_an_encoder_without_weights_or_of_another_name_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, models_dir=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(EngineError, match="viva models pull all-mpnet-base-v2"):
        encoder("mpnet", settings)
    with pytest.raises(EngineError, match="viva models pull"):
        encoder("minilm", settings)
    with pytest.raises(ValueError, match="unknown sentence encoder 'bert'; known: minilm, mpnet"):
        encoder("bert", settings)


# ---- what is learned


def test_what_is_learned_on_some_questions_holds_for_others(grader: Grader) -> None:
    pairs, labels, _ = made_up(25, 2)
    probabilities = grader.probabilities(pairs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    given = [LABELS[k] for k in probabilities.argmax(axis=1)]
    assert f1_score(labels, given, average="macro") > 0.75


def test_a_grader_comes_back_from_its_file_and_says_the_same(grader: Grader, tmp_path: Path) -> None:
    pairs = made_up(3, 5)[0]
    GradedJudge(grader, {"fitted_on": "made-up answers"}).save(tmp_path / "judge.joblib")
    loaded = GradedJudge.load(tmp_path / "judge.joblib")
    assert loaded.name == grader.name and loaded.card == {"fitted_on": "made-up answers"}
    if isinstance(loaded.grader, HybridGrader):
        loaded.grader.use(dict.fromkeys(ENCODERS, Vectors(embed)))
    np.testing.assert_allclose(loaded.grader.probabilities(pairs), grader.probabilities(pairs), atol=1e-6)


def test_a_graded_judge_marks_like_any_judge(grader: Grader) -> None:
    judge = GradedJudge(grader)
    question = reference_question("q", "What happens to iron and wood?", ("The iron melts. The wood burns.",))
    mark = judge.judge(question, "the iron melts and the wood burns")
    assert mark.verdict == "correct" and mark.points >= 6
    assert [e.status for e in mark.evidence] == ["covered", "covered"] and 0 <= mark.confidence <= 1
    assert all(e.quote in "the iron melts and the wood burns" for e in mark.evidence)
    assert judge.judge(question, "the paper floats").points <= 5.5
    nothing = judge.judge(question, " \n ")
    assert (nothing.verdict, nothing.points) == ("incorrect", 0)
    assert {e.status for e in nothing.evidence} == {"missing"}


def test_folds_never_share_a_question_and_offsets_help_the_rare_label() -> None:
    groups = [str(i // 3) for i in range(90)]
    for train, test in folds_by_question(groups):
        assert not {groups[i] for i in train} & {groups[i] for i in test}
    draw = np.random.default_rng(0)
    y = np.array([0] * 60 + [1] * 10 + [2] * 30)
    probabilities = np.full((100, 3), 0.1)
    probabilities[np.arange(100), y] = 0.3
    probabilities[:, 0] += 0.25 + draw.uniform(-0.02, 0.02, 100)
    shifted = (np.log(probabilities) + macro_offsets(probabilities, y)).argmax(axis=1)
    assert f1_score(y, probabilities.argmax(axis=1), average="macro") < f1_score(y, shifted, average="macro")


def test_how_a_question_is_marked_in_the_figures_owes_nothing_to_its_own_marks() -> None:
    """Offsets chosen on the answers they are measured on flatter: the best of hundreds is taken."""
    draw = np.random.default_rng(0)
    groups = [str(i // 10) for i in range(80)]
    y, probabilities = draw.integers(0, 3, 80), draw.dirichlet((2, 2, 2), 80)
    folds = folds_by_question(groups)
    labels = left_out_labels(probabilities, y, folds)
    for train, test in folds:
        other = y.copy()
        other[test] = (y[test] + 1) % 3
        assert (left_out_labels(probabilities, other, folds)[test] == labels[test]).all()
        at_hand = macro_offsets(probabilities[train], y[train])
        assert (labels[test] == (np.log(probabilities[test] + 1e-9) + at_hand).argmax(axis=1)).all()


def test_a_file_that_is_no_judge_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no fitted judge at .*calibrate --on"):
        GradedJudge.load(tmp_path / "none.joblib")
    (tmp_path / "text.joblib").write_text("not a judge")
    with pytest.raises(CorpusError, match="is no fitted judge"):
        GradedJudge.load(tmp_path / "text.joblib")


class Generous:
    """A grader that finds every answer right."""

    name = "generous"

    def fit(self, pairs: Sequence[Pair], labels: Sequence[str], groups: Sequence[str]) -> None:
        raise NotImplementedError

    def probabilities(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        return np.tile([0.9, 0.06, 0.04], (len(pairs), 1))


def test_what_the_words_refute_earns_nothing_however_much_it_looks_like_the_answer() -> None:
    judge = GradedJudge(Generous())
    asked = [(scenario, question) for bank in load_banks().values() for _, scenario, question in bank.questions()]
    tried = chosen_by_hash(list(attacks(asked)), 400, lambda row: f"{row[0]} {row[2].id} {row[3]}")
    kinds = (
        "untrue",
        "false",
        "not thought",
        "never believed",
        "disagreed with",
        "nothing",
        "area with and",
        "every accepted wording",
    )
    marked = [judge.judge(q, text, question_text=s.text) for kind, s, q, text in tried if kind.endswith(kinds)]
    assert len(marked) > 40 and {mark.verdict for mark in marked} == {"incorrect"}
    for scenario, question in asked[::7]:
        mark = judge.judge(question, question.model_answer, question_text=scenario.text)
        assert mark.verdict == "correct" and mark.confidence > DOUBTED


def test_answers_beside_references_alone_are_left_to_the_grader() -> None:
    question = reference_question("q", "Why does the bulb go out?", ("There is a gap in the circuit.",))
    assert GradedJudge(Generous()).judge(question, "gap circuit gap circuit not").verdict == "correct"


def test_of_right_and_partly_right_answers_next_to_none_reads_as_refuted() -> None:
    rows = [row for row in (*exemplars("all"), *ticked()) if row.verdict != "incorrect"]
    hit = [row.text for row in rows if refuted(row.question, row.text, row.scenario, spoken=False)]
    assert len(rows) == 1731 and len(hit) == 4, hit
