"""Two judges on the same answers: published figures of McNemar's test, made-up judges, files that do not pair up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune.answers import exemplars
from finetune.attack_search import FOUND
from finetune.cli import app
from finetune.compare import compare, mcnemar, paired
from finetune.corpora import question_hash
from finetune.predictions import (
    PredictionsError,
    predict,
    read_predictions,
    row_id,
    slices_of,
    stems_of,
    write_predictions,
)
from finetune.prepare import gather, prepare, write
from tests.made_predictions import made
from tests.small_corpus import many, row, write_corpus

RUNNER = CliRunner(env={"COLUMNS": "220", "VIVA_SHARED_DIR": ""})


def table(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_mcnemar_gives_the_exact_p_of_fagerland_lydersen_and_laake_2013_table_1() -> None:
    """Airway hyper-responsiveness of 21 children before and after transplantation; BMC Med Res Methodol 13:91."""
    found = mcnemar(*table(1, 1, 7, 12))
    assert (found.only_a, found.only_b) == (1, 7)
    assert found.p == pytest.approx(0.0703, abs=5e-5)


def test_mcnemar_gives_the_exact_p_of_fagerland_lydersen_and_laake_2013_table_2() -> None:
    """Complete response before and after consolidation therapy, 161 patients."""
    assert mcnemar(*table(59, 6, 16, 80)).p == pytest.approx(0.0525, abs=5e-5)


def test_judges_that_are_right_on_the_same_answers_do_not_differ() -> None:
    assert mcnemar([True, False], [True, False]).p == 1
    assert mcnemar(*table(5, 3, 3, 5)).p == 1


def test_a_better_judge_is_found_better_with_an_interval_clear_of_zero() -> None:
    a, b = made("weak", lambda k, r: r.uniform() < 0.6), made("strong", lambda k, r: r.uniform() < 0.85, seed=2)
    found = compare(a, b)["whole"]
    difference = found["macro_f1"]
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    assert difference["value"] == pytest.approx(found["macro_f1_b"] - found["macro_f1_a"], abs=2e-4)
    assert difference["better_rate"] == 1 and found["mcnemar"]["p"] < 1e-4 and found["qwk"]["low"] > 0


def test_equal_judges_differ_by_nothing_and_swapping_turns_the_sign() -> None:
    a, b = made("a", lambda k, r: r.uniform() < 0.7), made("b", lambda k, r: r.uniform() < 0.7, seed=9)
    same = compare(a, a)["whole"]["macro_f1"]
    assert (same["value"], same["low"], same["high"], same["better_rate"]) == (0, 0, 0, 0)
    there, back = compare(a, b)["whole"]["macro_f1"], compare(b, a)["whole"]["macro_f1"]
    assert there["low"] < 0 < there["high"]
    assert there["value"] == pytest.approx(-back["value"]) and there["low"] == pytest.approx(-back["high"])


def test_one_question_alone_has_a_difference_but_no_interval() -> None:
    one = {"n_questions": 1, "per_question": 6}
    a, b = made("a", lambda k, r: k > 2, **one), made("b", lambda k, r: True, **one)
    found = compare(a, b)["whole"]["macro_f1"]
    assert found["value"] > 0 and found["low"] is None and found["better_rate"] is None


def test_a_judge_that_hears_badly_is_worse_in_that_slice_only() -> None:
    a = made("a", lambda k, r: r.uniform() < 0.8)
    b = made("b", lambda k, r: r.uniform() < (0.3 if k % 2 else 0.8))
    slices = compare(a, b)["slices"]
    assert set(slices) == {"medium"}, "a discipline that all answers share is no slice"
    assert slices["medium"]["heard"]["macro_f1"]["high"] < 0
    assert slices["medium"]["typed"]["macro_f1"]["low"] <= 0 <= slices["medium"]["typed"]["macro_f1"]["high"]


def test_answers_clustered_in_questions_widen_the_interval() -> None:
    def width(n_questions: int, per_question: int, lost: Callable[[int], bool]) -> float:
        size = {"n_questions": n_questions, "per_question": per_question}
        a, b = made("a", lambda k, r: True, **size), made("b", lambda k, r: not lost(k), **size)
        found = compare(a, b)["whole"]["macro_f1"]
        return float(found["high"] - found["low"])

    assert width(8, 30, lambda k: k < 60) > 2 * width(240, 1, lambda k: k % 4 == 0)


def test_rows_that_do_not_pair_up_are_named_with_what_to_do() -> None:
    a, b = made("a", lambda k, r: True), made("b", lambda k, r: True)
    with pytest.raises(
        PredictionsError, match=r"1 row \(q0:0\) only in a's, 0 rows only in b's, 239 in both; .*--split"
    ):
        paired(a, b[1:])
    torn = [replace(b[0], true_verdict="partial"), *b[1:]]
    with pytest.raises(PredictionsError, match="examiner's marks differ .* q0:0|examiner's marks differ.*1 row"):
        paired(a, torn)
    with pytest.raises(PredictionsError, match="2 judges stand in one file"):
        paired([*a, replace(b[0], row_id="other")], b)


def test_predictions_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = made("a", lambda k, r: r.uniform() < 0.7)
    write_predictions(rows, tmp_path / "deep" / "a.jsonl")
    assert read_predictions(tmp_path / "deep" / "a.jsonl") == rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [], "holds no predictions"),
        (lambda lines: [lines[0].replace('given_verdict": "correct"', 'given_verdict": "good"')], "a.jsonl:1: given_v"),
        (lambda lines: [lines[0], "{"], "a.jsonl:2: the line"),
        (lambda lines: [lines[0], lines[0]], "stands on line 1 already"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_predictions_says_where(
    tmp_path: Path, change: Callable[[Sequence[str]], list[str]], said: str
) -> None:
    path = tmp_path / "a.jsonl"
    write_predictions(made("a", lambda k, r: True)[:2], path)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(PredictionsError, match=said) as raised:
        read_predictions(path)
    assert "viva-finetune evaluate" in str(raised.value)


def test_a_row_is_named_by_question_and_hash_and_never_holds_the_answer() -> None:
    from finetune.references import as_marked
    from workbench.exam.grading import KeywordJudge

    answers = [as_marked(record) for record in many()[:3]]
    rows = list(predict(KeywordJudge(), [*answers, answers[0]], seen="unseen"))
    assert [r.row_id for r in rows[:3]] == [row_id(a.question.id, a.text) for a in answers]
    assert rows[3].row_id == f"{rows[0].row_id}:2"
    assert rows[0].ms is None and rows[1].ms is not None and rows[0].version == "keyword-1"
    kept = json.dumps([vars(r) for r in rows])
    assert not any(word in kept for a in answers for word in a.text.split() if len(word) > 5)
    assert rows[0].slices == {
        "length": "1 up to 10 words",
        "discipline": "scientsbank",
        "medium": "typed",
        "question": "unseen",
    }


def test_slices_tell_questions_trained_on_from_others() -> None:
    from finetune.references import as_marked

    answer = as_marked(many()[0])
    assert slices_of(answer, trained_on={"what does the magnet do"})["question"] == "seen"
    assert slices_of(answer, trained_on=set())["question"] == "unseen"
    assert "question" not in slices_of(answer)


def test_a_question_of_a_bank_is_known_again_in_training_data(tmp_path: Path) -> None:
    found = gather(["banks", "calibration"], None)
    split = prepare(found, 0.2, 0)
    write(tmp_path, found, split, 0.2, 0)
    learnt = {record.question_id.removeprefix("banks:") for record in split.train}
    stems = stems_of(tmp_path)
    hashes = {question_hash(record) for record in split.train}
    seen = {
        answer.question.id
        for answer in exemplars("held-out")
        if slices_of(answer, trained_on=stems)["question"] == "seen"
    }
    assert seen == learnt
    assert all(slices_of(a, trained_on=hashes) == slices_of(a, trained_on=stems) for a in exemplars("held-out"))


def test_of_heard_answers_and_of_attacks_that_were_found_only_so_many_are_marked(tmp_path: Path) -> None:
    marks, report = tmp_path / "marks.jsonl", tmp_path / "report.json"
    arguments = ["evaluate", "--on", "heard", "--judges", "keyword", "--limit", "5", "--predictions", str(marks)]
    done = RUNNER.invoke(app, [*arguments, "--out", str(report)])
    assert done.exit_code == 0, done.output
    assert Counter(p.slices["medium"] for p in read_predictions(marks)) == {"typed": 5, "heard": 5}
    assert json.loads(report.read_text())["judges"][0]["n"] == 5
    done = RUNNER.invoke(app, ["attack", "--judges", "keyword", "--found", str(FOUND), "--limit", "7"])
    assert done.exit_code == 0 and "of 7 attacks" in done.output, done.output


def test_two_judges_are_evaluated_compared_and_drawn_from_the_command_line(tmp_path: Path) -> None:
    def rows(split: str, topics: int) -> list[dict[str, object]]:
        return [
            row(
                f"{split}:{n}:{label}", f"{split}{n}", answer, label, question=f"Why is {split}{n}?", references=[right]
            )
            for n in range(topics)
            for right in [f"The {split}ium{n} melts quickly"]
            for label, answer in (
                ("correct", f"{split}ium{n} melts quickly"),
                ("partial", f"something melts in {split}land{n}"),
                ("incorrect", f"nobody{n} saw it"),
            )
        ]

    data = write_corpus(tmp_path / "data", rows("train", 12), rows("ua", 2), rows("uq", 4))
    for judge in ("keyword", "tfidf"):
        done = RUNNER.invoke(
            app,
            ["evaluate", "--on", "scientsbank", "--judges", judge, "--data", str(data), "--predictions",
             str(tmp_path / f"{judge}.jsonl"), "--plot", str(tmp_path / f"{judge}.png")],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        assert (tmp_path / f"{judge}.png").read_bytes().startswith(b"\x89PNG")
    files = [str(tmp_path / "tfidf.jsonl"), str(tmp_path / "keyword.jsonl")]
    done = RUNNER.invoke(app, ["compare", *files, "--plot", str(tmp_path / "d.png"), "--out", str(tmp_path / "d.json")])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "d.json").read_text())
    assert report["whole"]["n"] == 12 and report["b"] == {"judge": "keyword", "version": "keyword-1"}
    assert "all answers" in done.output and (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    lines = (tmp_path / "keyword.jsonl").read_text().splitlines()
    (tmp_path / "keyword.jsonl").write_text("\n".join(lines[:-1]))
    done = RUNNER.invoke(app, ["compare", *files])
    assert done.exit_code == 2 and "different answers" in done.output


def test_predictions_are_of_one_judge(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["evaluate", "--judges", "keyword,hybrid", "--predictions", str(tmp_path / "a.jsonl")])
    assert done.exit_code == 2 and "one judge" in done.output
