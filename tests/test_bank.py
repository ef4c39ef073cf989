"""Reading and checking question banks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from workbench.commands.bank import app
from workbench.exam.bank import BankError, check, load_banks, read_bank
from workbench.exam.bank_check import spoken_s
from workbench.exam.bank_file import WEIGHT_TOLERANCE

POINTS = ["red", "green", "blue"]
SUBJECTS = (
    ("colours does the light", "red", "green", "blue"), ("metals does the alloy", "copper", "zinc", "lead"),
    ("gases does the air", "nitrogen", "oxygen", "argon"), ("rocks does the hill", "granite", "basalt", "slate"),
    ("trees does the wood", "oak", "maple", "birch"), ("birds does the lake", "heron", "swan", "grebe"),
    ("fruits does the basket", "apple", "plum", "cherry"), ("grains does the field", "wheat", "barley", "rye"),
    ("tools does the shed", "hammer", "chisel", "spade"), ("voices does the choir", "soprano", "tenor", "bass"),
    ("rivers does the plain", "danube", "rhine", "elbe"), ("planets does the sky", "mars", "venus", "saturn"),
)  # fmt: skip


def question(number: int) -> dict[str, object]:
    subject, *things = SUBJECTS[number]
    first, second, third = things
    return {
        "id": f"q{number}",
        "stem": f"Which {subject} have?",
        "difficulty": 1,
        "cognitive_level": "remember",
        "sources": ["Newton, Opticks, 1704"],
        "key_terms": ["spectrum"],
        "model_answer": f"It is {first} and {second}. It also is {third}.",
        "key_points": [
            {
                "id": point,
                "text": f"It is {thing}.",
                "weight": weight,
                "accepted": [thing],
                "misconceptions": [f"no {thing}"],
                "probe": "Is there another one?",
            }
            for point, thing, weight in zip(POINTS, things, (0.5, 0.3, 0.2), strict=True)
        ],
        "exemplars": [
            {"text": text, "verdict": verdict, "points": points}
            for text, verdict, points in (
                (f"It's {first} and {second} and {third}", "correct", 10),
                (f"{first}, {second}", "correct", 8),
                (f"it is {first}", "partial", 5),
                (f"{second}, I think", "partial", 3),
                ("yellow", "incorrect", 0),
                (f"{third} perhaps", "incorrect", 2),
            )
        ],
    }


def area(key: str = "light") -> dict[str, object]:
    return {
        "key": key,
        "title": key.capitalize(),
        "scenarios": [
            {
                "id": f"{key}-s{s}",
                "title": "A prism",
                "text": "A ray falls on a prism. A wall is behind it.",
                "questions": [{**question(3 * s + n), "id": f"{key}-q{3 * s + n}"} for n in range(3)],
            }
            for s in range(4)
        ],
    }


def bank(**changes: object) -> dict[str, object]:
    return {
        "discipline": "physics",
        "title": "Physics",
        "version": "1",
        "licence": "CC0-1.0",
        "areas": [area()],
        **changes,
    }


def write(path: Path, data: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def first_question(data: dict[str, object]) -> dict[str, object]:
    return data["areas"][0]["scenarios"][0]["questions"][0]  # type: ignore[index, no-any-return]


def test_a_bank_that_was_changed_on_disk_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "colours.yaml", bank())
    [discipline] = set(load_banks(tmp_path)) - set(load_banks())
    assert load_banks(tmp_path)[discipline] is load_banks(tmp_path)[discipline]
    write(path, bank(title="Colours, second edition"))
    assert load_banks(tmp_path)[discipline].title == "Colours, second edition"


def test_the_cardiology_area_is_complete() -> None:
    cardiology = load_banks()["medical"].area("cardiology")
    assert len(cardiology.scenarios) == 4 and len(cardiology.questions) == 12
    for asked in cardiology.questions:
        assert 3 <= len(asked.key_points) <= 6
        assert abs(sum(point.weight for point in asked.key_points) - 1) < WEIGHT_TOLERANCE
        assert all(len(point.accepted) >= 5 and point.probe and point.said for point in asked.key_points)
        assert any(point.misconceptions for point in asked.key_points)
        assert all(any(character.isdigit() for character in source) for source in asked.sources)
        assert asked.key_terms and len(asked.exemplars) >= 6


def test_exemplars_are_spoken_not_pasted_from_the_key_points() -> None:
    for asked in load_banks()["medical"].area("cardiology").questions:
        for exemplar in asked.exemplars:
            assert all(point.text.lower() not in exemplar.text.lower() for point in asked.key_points)
            assert exemplar.text != asked.model_answer


def test_a_bank_may_be_one_file_or_a_folder_with_a_file_an_area(tmp_path: Path) -> None:
    one = read_bank(write(tmp_path / "physics.yaml", bank()))
    write(tmp_path / "physics" / "bank.yaml", bank(areas=[]))
    write(tmp_path / "physics" / "light.yaml", area())
    folder = read_bank(tmp_path / "physics")
    assert one.areas == folder.areas
    assert one.area("light").question("light-q3").stem == "Which rocks does the hill have?"
    assert one.area("light").scenario_of("light-q3").id == "light-s1"


def test_values_keep_the_lines_they_came_from(tmp_path: Path) -> None:
    path = write(tmp_path / "physics.yaml", bank())
    lines = path.read_text(encoding="utf-8").splitlines()
    asked = read_bank(path).area("light").questions[1]
    assert lines[asked.line - 1].strip().startswith("- id: light-q1")
    assert lines[asked.key_points[2].line - 1].strip() == "- id: blue"
    assert "text" in lines[asked.exemplars[0].line - 1]


def test_a_further_directory_adds_disciplines_and_areas_and_overrides_areas(tmp_path: Path) -> None:
    write(tmp_path / "physics.yaml", bank())
    changed = {**area("cardiology"), "title": "Our cardiology"}
    write(tmp_path / "medical.yaml", bank(discipline="medical", title="Medicine", areas=[changed, area("neurology")]))
    built_in, banks = load_banks(), load_banks(tmp_path)
    assert list(banks) == sorted([*built_in, "physics"])
    others = [(a.key, a.title) for a in built_in["medical"].areas if a.key != "cardiology"]
    assert [(a.key, a.title) for a in banks["medical"].areas] == [
        ("cardiology", "Our cardiology"),
        *others,
        ("neurology", "Neurology"),
    ]


def test_a_missing_further_directory_says_which_setting_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="VIVA_BANKS_DIR"):
        load_banks(tmp_path / "nowhere")


def test_an_unknown_key_lists_the_known_ones() -> None:
    medical = load_banks()["medical"]
    with pytest.raises(KeyError, match="cardiology"):
        medical.area("astrology")
    with pytest.raises(KeyError, match="card-arrest-shock"):
        medical.area("cardiology").question("nothing")
    with pytest.raises(KeyError, match="rca"):
        medical.area("cardiology").questions[0].key_point("nothing")


def _weights(q: dict[str, object]) -> None:
    q["key_points"][0]["weight"] = 0.6  # type: ignore[index]


def _level(q: dict[str, object]) -> None:
    q["cognitive_level"] = "guess"


def _difficulty(q: dict[str, object]) -> None:
    q["difficulty"] = 9


def _unknown_field(q: dict[str, object]) -> None:
    q["stemm"] = "Which?"


def _no_stem(q: dict[str, object]) -> None:
    q["stem"] = ""


def _number_as_wording(q: dict[str, object]) -> None:
    q["key_points"][1]["accepted"] = [110]  # type: ignore[index]


def _verdict(q: dict[str, object]) -> None:
    q["exemplars"][0]["verdict"] = "right"  # type: ignore[index]


def _points(q: dict[str, object]) -> None:
    q["exemplars"][0]["points"] = 7.3  # type: ignore[index]


def _two_points(q: dict[str, object]) -> None:
    q["key_points"] = q["key_points"][:2]  # type: ignore[index]


@pytest.mark.parametrize(
    ("spoil", "field", "allowed"),
    [
        (_weights, "questions.0", "sum to 1.1; they must sum to 1"),
        (_level, "cognitive_level", "'remember', 'understand', 'apply'"),
        (_difficulty, "difficulty", "less than or equal to 5; given 9"),
        (_unknown_field, "stemm", "unknown field"),
        (_no_stem, "stem", "at least 1 character"),
        (_number_as_wording, "key_points.1.accepted.0", "must be text; put it in quotes; given 110"),
        (_verdict, "exemplars.0.verdict", "'correct', 'partial' or 'incorrect'"),
        (_points, "exemplars.0.points", "multiple of 0.5"),
        (_two_points, "key_points", "at least 3 items"),
    ],
)
def test_an_error_names_file_line_question_field_and_what_is_allowed(
    spoil: Callable[[dict[str, object]], None], field: str, allowed: str, tmp_path: Path
) -> None:
    data = bank()
    spoil(first_question(data))
    path = write(tmp_path / "physics.yaml", data)
    with pytest.raises(BankError) as caught:
        read_bank(path)
    (finding,) = caught.value.findings
    assert finding.file == str(path) and finding.question == "light-q0"
    assert field in finding.message and allowed in finding.message
    line = path.read_text(encoding="utf-8").splitlines()[finding.line - 1]
    assert field.split(".")[-1] in line or "light-q0" in line or "110" in line


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    data = bank()
    _weights(first_question(data))
    _level(data["areas"][0]["scenarios"][2]["questions"][1])  # type: ignore[index]
    with pytest.raises(BankError) as caught:
        read_bank(write(tmp_path / "physics.yaml", data))
    assert [finding.question for finding in caught.value.findings] == ["light-q0", "light-q7"]


def test_ids_are_unique_in_a_bank(tmp_path: Path) -> None:
    data = bank()
    data["areas"][0]["scenarios"][3]["questions"][2]["id"] = "light-q0"  # type: ignore[index]
    with pytest.raises(BankError, match="light-q0.* taken already at .*physics.yaml:"):
        read_bank(write(tmp_path / "physics.yaml", data))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("discipline: [a", "not valid YAML"),
        ("- a\n- b\n", "file"),
        ("discipline: x\ndiscipline: y\n", "'discipline' is given twice"),
        ("discipline: a\ntitle: A\nversion: '1'\nlicence: x\n", "at least one area"),
    ],
)
def test_a_file_that_is_no_bank_says_why(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BankError, match=message):
        read_bank(path)


def _long(q: dict[str, object]) -> None:
    q["stem"] = "Which colours, " + "one after another, " * 20 + "does the light have?"


def _leaking_stem(q: dict[str, object]) -> None:
    q["stem"] = "Is it red, or what else is it?"


def _leaking_probe(q: dict[str, object]) -> None:
    q["key_points"][1]["probe"] = "Could it be green?"  # type: ignore[index]


def _brackets(q: dict[str, object]) -> None:
    q["stem"] = "Which colours (all of them) does the light have?"


def _slash(q: dict[str, object]) -> None:
    q["model_answer"] = "It is red/green. It is blue."


def _mixed(q: dict[str, object]) -> None:
    q["stem"] = "What does CHA2DS2 stand for?"


def _one_sentence(q: dict[str, object]) -> None:
    q["model_answer"] = "It is red."


def _misjudged(q: dict[str, object]) -> None:
    q["exemplars"][1]["verdict"] = "incorrect"  # type: ignore[index]


def _clash(q: dict[str, object]) -> None:
    q["key_points"][0]["misconceptions"] = ["red"]  # type: ignore[index]


def _placeholder(q: dict[str, object]) -> None:
    q["model_answer"] = "REPLACE this. It is red, green and blue."


def _thin(q: dict[str, object]) -> None:
    q["key_points"][2]["accepted"] = ["blue", "both are red"]  # type: ignore[index]


def _implied_and_heavier(q: dict[str, object]) -> None:
    q["key_points"][1]["accepted"] = ["green", "red and green"]  # type: ignore[index]


def _one_point_twice(q: dict[str, object]) -> None:
    q["key_points"][2]["accepted"] = ["red and blue", "blue"]  # type: ignore[index]
    q["key_points"][0]["accepted"] = ["red and blue", "red"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_long, "reading-time"), (_leaking_stem, "stem-leak"), (_leaking_probe, "probe-leak"), (_brackets, "speech"),
        (_slash, "speech"), (_mixed, "speech"), (_one_sentence, "model-answer"), (_misjudged, "exemplar-judged"),
        (_clash, "wording-clash"), (_placeholder, "placeholder"), (_thin, "overlap"), (_implied_and_heavier, "overlap"),
        (_one_point_twice, "overlap"),
    ],
)  # fmt: skip
def test_a_check_finds_what_a_schema_cannot(
    spoil: Callable[[dict[str, object]], None], code: str, tmp_path: Path
) -> None:
    data = bank()
    clean = check(read_bank(write(tmp_path / "clean.yaml", data)))
    assert clean == []
    spoil(first_question(data))
    findings = check(read_bank(write(tmp_path / "physics.yaml", data)))
    assert code in {finding.code for finding in findings}
    assert {finding.question for finding in findings} == {"light-q0"}
    assert all(finding.line > 1 and finding.file.endswith("physics.yaml") for finding in findings)


def test_a_point_that_implies_a_lesser_one_is_no_overlap(tmp_path: Path) -> None:
    data = bank()
    first_question(data)["key_points"][0]["accepted"] = ["red", "red and green", "crimson"]  # type: ignore[index]
    assert check(read_bank(write(tmp_path / "physics.yaml", data))) == []


def test_an_overlap_names_both_points_the_wording_and_what_it_lacks(tmp_path: Path) -> None:
    data = bank()
    _thin(first_question(data))
    finding = next(f for f in check(read_bank(write(tmp_path / "physics.yaml", data))) if f.code == "overlap")
    assert "key point blue" in finding.message and "'both are red'" in finding.message
    assert "of key point red" in finding.message and "does not say 'both'" in finding.message


def test_a_question_that_is_asked_twice_is_found_within_a_bank_and_across_banks(tmp_path: Path) -> None:
    data = bank()
    twin = first_question(data)
    other = data["areas"][0]["scenarios"][3]["questions"][2]  # type: ignore[index]
    kept = dict(other)
    other.update({**twin, "id": other["id"], "stem": "And which colours has the light?"})
    (finding,) = check(read_bank(write(tmp_path / "physics.yaml", data)))
    assert finding.code == "near-duplicate" and finding.question == "light-q11"
    assert "light-q0 (physics/light)" in finding.message
    other.clear()
    other.update(kept)
    first = read_bank(write(tmp_path / "physics.yaml", data))
    second = read_bank(write(tmp_path / "optics.yaml", bank(discipline="optics")))
    assert check(second) == []
    findings = check(second, [first])
    assert len(findings) == 12 and {f.code for f in findings} == {"near-duplicate"}


def test_an_area_that_replaces_one_may_ask_the_same(tmp_path: Path) -> None:
    old = read_bank(write(tmp_path / "physics.yaml", bank()))
    assert check(read_bank(write(tmp_path / "new.yaml", bank(version="2"))), [old]) == []


def test_figures_take_as_long_as_the_words_they_are_spoken_as() -> None:
    assert spoken_s("120") == pytest.approx(spoken_s("one hundred and twenty"))
    assert spoken_s("a b c , -") == pytest.approx(spoken_s("a b c"))


def test_the_list_has_one_object_an_area() -> None:
    result = CliRunner().invoke(app, ["list", "--json"])
    rows = json.loads(result.stdout)
    cardiology = next(row for row in rows if row["area"] == "cardiology")
    assert cardiology["discipline"] == "medical"
    assert cardiology["questions"] == 12 and cardiology["exemplars"] >= 72


def test_the_check_command_prints_findings_and_fails(tmp_path: Path) -> None:
    data = bank()
    _leaking_stem(first_question(data))
    path = write(tmp_path / "physics.yaml", data)
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 1
    assert "physics.yaml:" in result.stdout and "light-q0" in result.stdout and "[stem-leak]" in result.stdout
    as_json = json.loads(CliRunner().invoke(app, ["check", str(path), "--json"]).stdout)
    assert {row["question"] for row in as_json} == {"light-q0"}


def test_the_check_command_reports_an_unreadable_file_as_a_finding(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none.yaml")])
    assert result.exit_code == 1 and "[unreadable]" in result.stdout


def test_the_built_in_banks_have_no_finding() -> None:
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0 and result.stdout.startswith("0 findings in ")
