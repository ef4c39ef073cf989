"""`viva bank import|export|new` at the prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.test_bank import bank, first_question, write
from tests.test_bank_exchange import same
from workbench.commands.bank import app
from workbench.exam.bank import load_banks, read_bank


def viva(*arguments: object, given: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_an_import_shows_what_it_would_make_and_saves_only_after_yes(tmp_path: Path) -> None:
    source, target = write(tmp_path / "physics.yaml", bank()), tmp_path / "banks"
    code, output = viva("import", source, "--to", target, given="n\n")
    assert code == 0 and "light" in output and "36" in output and "Nothing was saved" in output
    assert not target.exists()
    code, output = viva("import", source, "--to", target, given="y\n")
    assert code == 0 and same(load_banks(target)["physics"], read_bank(source))
    code, output = viva("import", source, "--to", target, "--yes")
    assert code == 2 and "--replace" in output
    assert viva("import", source, "--to", target, "--yes", "--replace")[0] == 0
    assert len(list((target / ".backups").iterdir())) == 1


def test_an_import_with_schema_errors_saves_nothing_even_with_yes(tmp_path: Path) -> None:
    data = bank()
    first_question(data)["difficulty"] = 9
    code, output = viva("import", write(tmp_path / "x.yaml", data), "--to", tmp_path / "banks", "--yes")
    assert code == 1 and "difficulty" in output and "1 finding\n" in output and not (tmp_path / "banks").exists()


def test_the_preview_as_json_is_json_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["import", str(write(tmp_path / "x.yaml", bank())), "--json", "--yes", "--to", str(tmp_path / "banks")]
    )
    shown = json.loads(result.stdout)
    assert shown["can_be_saved"] and shown["areas"][0]["questions"] == 12 and shown["findings"] == []


def test_without_a_place_to_save_it_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.settings import Settings

    monkeypatch.delenv("VIVA_BANKS_DIR", raising=False)
    monkeypatch.setattr("workbench.settings.get_settings", lambda: Settings(_env_file=None))
    code, output = viva("import", write(tmp_path / "x.yaml", bank()), "--yes")
    assert code == 2 and "--to" in output and "VIVA_BANKS_DIR" in output


def test_gaps_of_a_moodle_file_can_be_filled_in_a_table(tmp_path: Path) -> None:
    moodle, table = tmp_path / "x.xml", tmp_path / "gaps.csv"
    assert viva("export", "medical", "--area", "cardiology", "--format", "moodle", "--out", moodle)[0] == 0
    whole = moodle.read_text(encoding="utf-8")
    moodle.write_text(whole.replace("<li>Probe: ", "<li>Probed: ", 1), encoding="utf-8")
    code, output = viva("import", moodle, "--to", tmp_path / "banks", "--yes")
    assert code == 1 and "probe: is missing" in output
    assert viva("import", moodle, "--draft", table)[0] == 0
    code, output = viva("import", table, "--to", tmp_path / "banks", "--yes")
    assert code == 1 and "gaps.csv:" in output and "probe: is missing" in output
    assert viva("import", moodle, "--draft", table)[0] == 2


def test_an_export_says_what_is_lost_and_does_not_overwrite(tmp_path: Path) -> None:
    out = tmp_path / "law.xml"
    code, output = viva("export", "law", "--format", "moodle", "--out", out)
    assert code == 0 and "exemplars" in output
    before = out.read_bytes()
    code, output = viva("export", "law", "--format", "csv", "--out", out)
    assert code == 2 and "--replace" in output and out.read_bytes() == before
    assert viva("export", "law", "--format", "csv", "--out", out, "--replace")[0] == 0
    assert [p.name for p in tmp_path.iterdir()] == ["law.xml"]
    assert "there are automobile" in viva("export", "magic", "--out", tmp_path / "x")[1]
    assert "contract" in viva("export", "law", "--area", "magic", "--out", tmp_path / "x")[1]


@pytest.mark.parametrize("ending", ["yaml", "csv", "xlsx"])
def test_a_new_bank_can_be_imported_as_it_is(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"start.{ending}"
    assert viva("new", "--out", out, "--discipline", "geology", "--area", "rocks")[0] == 0
    code, output = viva("import", out, "--to", tmp_path / "banks", "--yes")
    assert code == 0 and output.count("[placeholder]") == 11
    assert load_banks(tmp_path / "banks")["geology"].area("rocks").questions


def test_a_new_bank_refuses_names_and_endings_it_cannot_use(tmp_path: Path) -> None:
    assert "small letters" in viva("new", "--out", tmp_path / "a.yaml", "--discipline", "My Field")[1]
    assert "--template" in viva("new", "--out", tmp_path / "a.doc")[1]
    assert list(tmp_path.iterdir()) == []
