"""Attacks grown by search, put to the judges; and the search itself, whose drafts may be worth nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from finetune import evaluate as evaluating
from finetune.attack_kinds import KINDS, Draft, Material, holds, material, worthless
from finetune.attack_search import FOUND, MOST_OF_A_QUESTION, OpenHybrid, load, save, search, strongest
from finetune.cli import app
from finetune.evaluate import resist
from workbench.exam.bank import load_banks
from workbench.exam.grading import KeywordJudge
from workbench.judging.calibration import STATUSES, marked
from workbench.judging.registry import make_judge
from workbench.settings import Settings

BANKS = load_banks()
KNOWN = {q.id: (s, q) for bank in BANKS.values() for _, s, q in bank.questions()}
RUNNER = CliRunner(env={"COLUMNS": "400"})
SUBJECTS = [(bank.discipline, q) for bank in BANKS.values() for _, _, q in bank.questions()]
ATTACKS = load()
TRIED = [(row.kind, *KNOWN[row.question_id], row.answer) for row in ATTACKS]


@pytest.fixture(scope="module")
def made_of() -> Material:
    scenario, question = KNOWN["card-inferior-diagnosis"]
    return material(scenario, question, SUBJECTS, "medical")


def draft(kind: str, *parts: tuple[str, str], opening: str = "", closing: str = "") -> Draft:
    return Draft(kind, parts, opening, closing)


# ---- the attacks that were found


@pytest.mark.weights
@pytest.mark.parametrize("name", [pytest.param("hybrid", marks=pytest.mark.slow), "keyword"])
def test_attacks_found_by_search_get_next_to_nothing(name: str) -> None:
    result = resist(make_judge(name, Settings(_env_file=None)), TRIED)  # type: ignore[call-arg]
    assert result["n"] == len(ATTACKS) >= 200
    assert result["correct_rate"] <= 0.01 and result["over_three_rate"] <= 0.03, result["by_kind"]


def test_the_attacks_are_of_many_kinds_and_questions_and_no_two_are_alike() -> None:
    kinds = Counter(row.kind for row in ATTACKS)
    questions = Counter(row.question_id for row in ATTACKS)
    assert len(kinds) >= 8 and max(kinds.values()) <= 0.25 * len(ATTACKS)
    assert len(questions) >= 60 and max(questions.values()) <= 2 * MOST_OF_A_QUESTION
    assert len({row.answer for row in ATTACKS}) == len(ATTACKS)
    assert all(row.why == next(kind.why for kind in KINDS if kind.name == row.kind) for row in ATTACKS)


def test_no_attack_about_another_subject_or_of_mistakes_holds_an_accepted_wording() -> None:
    for row in ATTACKS:
        if row.kind in ("other subject", "wrong"):
            _, question = KNOWN[row.question_id]
            assert not [w for p in question.key_points for w in p.accepted if holds(row.answer, w)], row.answer


def test_attacks_are_written_where_no_folder_is_yet(tmp_path: Path) -> None:
    save(ATTACKS[:2], tmp_path / "new" / "found.jsonl")
    assert load(tmp_path / "new" / "found.jsonl") == ATTACKS[:2]


def test_a_line_that_is_no_attack_is_named(tmp_path: Path) -> None:
    path = tmp_path / "attacks.jsonl"
    path.write_text(f"{FOUND.read_text(encoding='utf-8').splitlines()[0]}\n{json.dumps({'answer': 'x'})}\n")
    with pytest.raises(ValueError, match=r"attacks\.jsonl:2 is no attack"):
        load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "attacks.jsonl cannot be read (No such file or directory); `viva-finetune attack --search"),
        ("", "attacks.jsonl holds no attack; `viva-finetune attack --search"),
        ("nonsense\n", "attacks.jsonl:1 is no attack"),
        ('{"question_id": 5, "kind": "", "why": "", "answer": "", "seed": 0, "frames": "", "points": {}}', "be texts"),
        (
            '{"question_id": "gone", "kind": "", "why": "", "answer": "", "seed": 0, "frames": "", "points": {}}',
            "attacks.jsonl:1 attacks question 'gone', which no bank has; set VIVA_BANKS_DIR",
        ),
    ],
)
def test_a_file_that_holds_no_attacks_is_refused(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "attacks.jsonl"
    if text is not None:
        path.write_text(text)
    done = RUNNER.invoke(app, ["attack", "--judges", "keyword", "--found", str(path)])
    assert done.exit_code == 2 and said in " ".join(done.output.replace("│", " ").split()), done.output


def test_a_search_whose_attacks_would_go_to_a_folder_is_refused(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["attack", "--judges", "keyword", "--search", "1", "--found", str(tmp_path)])
    assert done.exit_code == 2 and "is a folder; name a file in it" in done.output, done.output


@pytest.mark.parametrize("more", [[], ["--found", str(FOUND)], ["--search", "1", "--found", "found.jsonl"]])
def test_a_judge_that_is_not_there_is_told_before_another_is_asked(
    more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "resist", lambda *given: pytest.fail("asked a judge"))
    done = RUNNER.invoke(app, ["attack", "--judges", "keyword,hybird", "--limit", "2", *more])
    assert done.exit_code == 2 and "unknown judge 'hybird'; known: keyword" in done.output, done.output


# ---- what keeps a draft worthless


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (draft("taken back", ("{X}.", "inferior stemi"), closing="I retract every word of that."), True),
        (draft("taken back", ("{X}.", "inferior stemi")), False),
        (draft("turned down", ("I refuse to accept that {x}.", "inferior stemi")), True),
        (draft("turned down", ("{X}.", "inferior stemi")), False),
        (draft("every option", ("It is {x}.", "stemi or nstemi or unstable angina")), True),
        (draft("every option", ("It is {x}.", "stemi or nstemi")), False),
        (draft("heap", ("{x}", "tax stemi wing pump sepsis")), True),
        (draft("heap", ("{x}", "tax right coronary artery wing pump sepsis dose rudder rent lease valve")), False),
        (draft("heap", ("{x}", "stemi infarct wing")), False),
        (draft("wrong", ("It is {x}.", "unstable angina")), True),
        (draft("wrong", ("It is {x}.", "the right coronary artery")), False),
        (draft("echo", ("So {x}.", "crushing chest pain")), True),
        (draft("echo", ("So {x}.", "crushing chest pain of an infarct")), False),
    ],
)
def test_a_draft_that_could_be_worth_something_is_thrown_out(made: Draft, kept: bool, made_of: Material) -> None:
    assert worthless(made, made_of) is kept


def test_a_search_is_repeatable_and_keeps_only_what_is_worthless() -> None:
    def found(seed: int) -> list[str]:
        rows = search(
            [BANKS["medical"]], [KeywordJudge()], tries=12, seed=seed, frames="tuning", n_questions=2, keep=20
        )
        return [row.answer for row in rows]

    assert found(3) == found(3) != found(4)


def test_likenesses_are_kept_once_and_no_question_has_more_than_its_share() -> None:
    rows = [(5.0, "q", "heap", "one two three"), (4.0, "q", "heap", "three two one"), (3.0, "r", "heap", "one two")]
    rows += [
        (2.0, "q", "echo", f"answer number {word}") for word in ("alpha", "beta longer", "gamma much longer still")
    ]
    kept = strongest(rows, 10)
    assert 0 in kept and 1 not in kept and 2 in kept
    assert sum(rows[k][1] == "q" for k in kept) <= MOST_OF_A_QUESTION


@pytest.mark.weights
def test_the_search_sees_the_marks_the_judge_gives() -> None:
    from workbench.engines import sentence_encoder

    judge = OpenHybrid(sentence_encoder.create(Settings(_env_file=None)))  # type: ignore[call-arg]
    for row in Random(0).sample(ATTACKS, 5):
        scenario, question = KNOWN[row.question_id]
        chances = judge.chances(question, row.answer, scenario.text)
        statuses = [STATUSES[int(k)] for k in chances.argmax(axis=1)]
        assert judge.judge(question, row.answer, question_text=scenario.text).points == marked(question, statuses)[1]
