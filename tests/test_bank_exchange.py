"""Banks to and from YAML, CSV and XLSX without loss; a preview first; saved whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
import yaml

from tests.test_bank import area, bank, first_question, write
from workbench.bank_exchange import FORMATS, Format, Preview, SaveError, export_bank, preview, preview_bytes, save
from workbench.bank_exchange import template as make_template
from workbench.bank_exchange.csv_format import HEADER
from workbench.bank_exchange.export import SUFFIXES
from workbench.bank_exchange.saving import BACKUPS
from workbench.exam.bank import Bank, load_banks, read_bank

LOSSLESS: tuple[Format, ...] = ("yaml", "csv", "xlsx")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def as_bytes(data: object) -> bytes:
    return yaml.safe_dump(data, sort_keys=False).encode()


def previewed(data: object) -> Preview:
    return preview_bytes("physics.yaml", as_bytes(data))


def same(one: Bank | None, other: Bank) -> bool:
    return one is not None and replace(one, file="") == replace(other, file="")


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("discipline", ["medical", "law", "engineering"])
def test_a_built_in_bank_survives_the_way_out_and_back_without_loss(discipline: str, format: Format) -> None:
    built_in = load_banks()[discipline]
    exported = export_bank(built_in, format)
    assert exported.losses == ()
    back = preview_bytes(f"bank{SUFFIXES[format]}", exported.data)
    assert back.format == format
    assert same(back.bank, built_in) and back.unmapped == ()
    assert back.findings == ()


@pytest.mark.parametrize("format", LOSSLESS)
def test_awkward_texts_survive(format: Format) -> None:
    data = bank(authors=["=cmd|' /C calc'!A0".replace("|", ""), "O'Brien"], description='Two\nlines: of, text; "here"')
    first = first_question(data)
    texts = ["'tis red", "+1 degree", "-40", "@home", "=SUM(A1)", "#1", "110", "yes", "0.5", "null", "12:30", "é ü 漢"]
    first["key_terms"] = texts
    first["exemplars"][0]["note"] = "=1+1"  # type: ignore[index]
    first["model_answer"] = '\'=It is red, and green. It is blue; "quoted".'
    original = previewed(data).bank
    assert original is not None
    back = preview_bytes(f"x{SUFFIXES[format]}", export_bank(original, format).data)
    assert same(back.bank, original), back.findings


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_may_hold_one_area(format: Format) -> None:
    medical = load_banks()["medical"]
    one = preview_bytes(f"x{SUFFIXES[format]}", export_bank(medical, format, "cardiology").data, card={"licence": "x"})
    assert one.bank is not None and [a.key for a in one.bank.areas] == ["cardiology"]
    with pytest.raises(KeyError, match="cardiology"):
        export_bank(medical, format, "astrology")


def test_a_csv_opens_in_spreadsheets_without_a_formula() -> None:
    data = bank(description="=HYPERLINK(1)")
    parsed = previewed(data).bank
    assert parsed is not None
    exported = export_bank(parsed, "csv").data
    assert exported.startswith(b"\xef\xbb\xbf") and b"'=HYPERLINK(1)" in exported
    assert b",=HYPERLINK" not in exported


def test_a_workbook_holds_text_as_text_and_lists_to_choose_from() -> None:
    parsed = previewed(bank(description="=HYPERLINK(1)")).bank
    assert parsed is not None
    workbook = openpyxl.load_workbook(io.BytesIO(export_bank(parsed, "xlsx").data))
    cells = {cell.value: cell.data_type for row in workbook["bank"].iter_rows() for cell in row}
    assert cells["=HYPERLINK(1)"] == "s"
    rules = workbook["exemplars"].data_validations.dataValidation
    assert any("correct,partial,incorrect" in rule.formula1 for rule in rules)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_with_the_separators_and_encodings_that_excel_writes(separator: str, encoding: str) -> None:
    import csv

    parsed = previewed(bank(title="Phÿsics")).bank
    assert parsed is not None
    rows = list(csv.reader(io.StringIO(export_bank(parsed, "csv").data.decode("utf-8-sig"))))
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    assert same(preview_bytes("x.csv", out.getvalue().encode(encoding)).bank, parsed)


def test_a_table_may_leave_out_the_parent_that_stands_above() -> None:
    parsed = previewed(bank()).bank
    assert parsed is not None
    workbook = openpyxl.load_workbook(io.BytesIO(export_bank(parsed, "xlsx").data))
    sheet = workbook["key points"]
    for row in range(3, sheet.max_row + 1):
        if sheet.cell(row, 1).value == sheet.cell(row - 1, 1).value or (row - 2) % 3:
            sheet.cell(row, 1).value = None
    out = io.BytesIO()
    workbook.save(out)
    assert same(preview_bytes("x.xlsx", out.getvalue()).bank, parsed)


def spoiled_workbook(spoil: Callable[[openpyxl.Workbook], None]) -> Preview:
    parsed = previewed(bank()).bank
    assert parsed is not None
    workbook = openpyxl.load_workbook(io.BytesIO(export_bank(parsed, "xlsx").data))
    spoil(workbook)
    out = io.BytesIO()
    workbook.save(out)
    return preview_bytes("x.xlsx", out.getvalue())


def _set(sheet: str, cell: str, value: object) -> Callable[[openpyxl.Workbook], None]:
    def spoil(workbook: openpyxl.Workbook) -> None:
        workbook[sheet][cell] = value

    return spoil


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "message"),
    [
        ("key points", "D2", 0.9, "sum to 1.4"),
        ("key points", "D2", "much", "valid number, unable to parse string as a number; given 'much'"),
        ("key points", "I2", "perhaps", "given 'perhaps'"),
        ("key points", "E2", "=A1", "holds a formula; paste its value"),
        ("key points", "E2", datetime(2026, 5, 1), "holds a date"),
        ("key points", "A2", "light-q99", "names the question 'light-q99', which there is not; there are: light-q0"),
        ("questions", "F3", "guess", "'remember', 'understand', 'apply'"),
        ("questions", "C3", None, "stem: is missing"),
        ("questions", "B3", "light-q0", "question id 'light-q0' is taken already at questions!A2"),
        ("exemplars", "D2", 7.3, "multiple of 0.5"),
        ("questions", "C1", "stemm", "unknown column 'stemm'; allowed are belongs to, id, stem"),
    ],
)
def test_a_mistake_in_a_workbook_is_told_by_sheet_cell_and_question(
    sheet: str, cell: str, value: object, message: str
) -> None:
    seen = spoiled_workbook(_set(sheet, cell, value))
    assert seen.bank is None
    told = [f for f in seen.findings if message in f.message]
    assert told, [str(f) for f in seen.findings]
    assert any(f.file == "x.xlsx" for f in told)
    assert any(f"{sheet}!" in f.message or sheet in f.message or "stemm" in f.message for f in told)


def test_a_workbook_with_other_sheets_only_names_those_it_looks_for() -> None:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    seen = preview_bytes("x.xlsx", out.getvalue())
    assert seen.bank is None and "questions" in seen.findings[0].message and "Sheet" in seen.findings[0].message


def test_a_csv_mistake_names_its_line_even_behind_cells_of_several_lines() -> None:
    data = bank(description="one\ntwo\nthree")
    parsed = previewed(data).bank
    assert parsed is not None
    text = export_bank(parsed, "csv").data.decode("utf-8-sig")
    number = next(i for i, line in enumerate(text.split("\n"), 1) if line.startswith("question,"))
    seen = preview_bytes("x.csv", text.replace("remember", "guess", 1).encode())
    assert [(f.line, f.question) for f in seen.findings] == [(number, "light-q0")]
    assert "column cognitive_level" in seen.findings[0].message


def test_percent_and_decimal_commas_are_read_as_weights() -> None:
    parsed = previewed(bank()).bank
    assert parsed is not None
    text = export_bank(parsed, "csv").data.decode("utf-8-sig")
    changed = text.replace(",0.5,", ",50%,").replace(",0.3,", ',"0,3",')
    assert changed != text
    assert same(preview_bytes("x.csv", changed.encode()).bank, parsed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "unknown column 'a'; allowed are kind"),
        ("kind,id\nthing,x\n", "'thing' is no kind of row; allowed are bank, area"),
        ("kind,id\nquestion,x\n", "this question has no scenario above it"),
        ("kind,id,id\n", "column 'id' is given twice"),
        ("kind,id\narea,a,b,c\n", "has 4 cells, the header 2"),
        ('kind,id\narea,"a\n', "no valid CSV"),
        ("# only notes\n", "has no header"),
    ],
)
def test_a_table_that_is_no_bank_says_why(text: str, message: str) -> None:
    seen = preview_bytes("x.csv", text.encode())
    assert seen.bank is None
    assert any(message in f.message for f in seen.findings), [str(f) for f in seen.findings]


def test_a_folder_and_an_archive_of_yaml_files_are_read_as_one_bank(tmp_path: Path) -> None:
    import zipfile

    write(tmp_path / "physics" / "bank.yaml", bank(areas=[]))
    path = write(tmp_path / "physics" / "light.yaml", area())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("bank.yaml", "light.yaml"):
            file.write(tmp_path / "physics" / name, f"physics/{name}")
    folder = preview(tmp_path / "physics")
    packed = preview_bytes("physics.zip", archive.getvalue())
    expected = read_bank(tmp_path / "physics")
    assert same(folder.bank, expected) and same(packed.bank, expected)
    path.write_text(path.read_text(encoding="utf-8").replace("difficulty: 1", "difficulty: 9", 1), encoding="utf-8")
    (finding,) = preview(tmp_path / "physics").findings
    assert finding.file == str(path) and "difficulty" in path.read_text(encoding="utf-8").splitlines()[finding.line - 1]


def test_an_area_by_itself_takes_its_card_from_options_or_from_the_bank_there_is() -> None:
    alone = preview_bytes("light.yaml", as_bytes(area()))
    assert alone.bank is None and any("discipline: is missing" in f.message for f in alone.findings)
    card = {"discipline": "physics", "licence": "CC0-1.0"}
    given = preview_bytes("light.yaml", as_bytes(area()), card=card)
    assert given.bank is not None and given.bank.title == "Physics"
    there = previewed(bank(areas=[area("sound")], title="Physics I")).bank
    assert there is not None
    lent = preview_bytes("light.yaml", as_bytes(area()), card={"discipline": "physics"}, others=[there])
    assert lent.bank is not None and (lent.bank.title, lent.bank.licence) == ("Physics I", "CC0-1.0")


def test_a_preview_counts_what_would_be_made_and_finds_what_another_bank_asks() -> None:
    there = previewed(bank(discipline="optics")).bank
    assert there is not None
    seen = preview_bytes("physics.yaml", as_bytes(bank()), others=[there])
    assert seen.summary == [
        {"discipline": "physics", "area": "light", "title": "Light", "scenarios": 4, "questions": 12, "key_points": 36,
         "exemplars": 72},
    ]  # fmt: skip
    assert {f.code for f in seen.findings} == {"near-duplicate"} and all(f.line > 1 for f in seen.findings)


def test_what_is_saved_is_a_bank_that_loads(tmp_path: Path) -> None:
    seen = previewed(bank())
    path = save(seen, tmp_path / "banks")
    assert seen.bank is not None
    assert same(load_banks(tmp_path / "banks")["physics"], seen.bank)
    assert [p.name for p in path.parent.iterdir()] == ["physics.yaml"]


def test_a_preview_with_schema_errors_is_not_saved(tmp_path: Path) -> None:
    data = bank()
    first_question(data)["difficulty"] = 9
    with pytest.raises(SaveError, match="1 findings are to be mended"):
        save(previewed(data), tmp_path / "banks")
    assert not (tmp_path / "banks").exists()


def test_a_bank_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = save(previewed(bank()), tmp_path)
    before = path.read_bytes()
    with pytest.raises(SaveError, match="areas light.*--replace"):
        save(previewed(bank(title="Other")), tmp_path)
    assert path.read_bytes() == before and not (tmp_path / BACKUPS).exists()


@pytest.mark.parametrize("as_folder", [False, True])
def test_replacing_keeps_other_areas_and_a_copy(as_folder: bool, tmp_path: Path) -> None:
    if as_folder:
        write(tmp_path / "our-physics" / "bank.yaml", bank(areas=[]))
        write(tmp_path / "our-physics" / "light.yaml", area())
        write(tmp_path / "our-physics" / "sound.yaml", area("sound"))
    else:
        write(tmp_path / "our-physics.yaml", bank(areas=[area(), area("sound")]))
    old = read_bank(next(p for p in tmp_path.iterdir()))
    changed = {**area(), "title": "New light"}
    path = save(previewed(bank(areas=[changed], version="2")), tmp_path, replace_existing=True, now=lambda: NOW)
    saved = load_banks(tmp_path)["physics"]
    assert [(a.key, a.title) for a in saved.areas] == [("light", "New light"), ("sound", "Sound")]
    assert saved.version == "2"
    (kept,) = (tmp_path / BACKUPS).iterdir()
    assert "20260301T120000" in kept.name and same(read_bank(kept), old)
    assert sorted(p.name for p in tmp_path.iterdir()) == [BACKUPS, path.name]


def test_ids_that_clash_with_another_area_stop_the_save_and_leave_everything(tmp_path: Path) -> None:
    path = save(previewed(bank(areas=[area("sound")])), tmp_path)
    before = path.read_bytes()
    clashing = {**area(), "key": "sound2"}
    clashing["scenarios"] = area("sound")["scenarios"]
    with pytest.raises(SaveError, match="taken already"):
        save(previewed(bank(areas=[clashing])), tmp_path, replace_existing=True)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["physics.yaml"]


def test_a_failing_disk_leaves_the_old_bank_and_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(previewed(bank()), tmp_path)
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.bank_exchange.saving.os.replace", fails)
    with pytest.raises(OSError, match="No space"):
        save(previewed(bank(title="Other")), tmp_path, replace_existing=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [BACKUPS, "physics.yaml"]


def test_something_unreadable_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "physics.yaml").write_text("- not a bank", encoding="utf-8")
    with pytest.raises(SaveError, match="in the way"):
        save(previewed(bank()), tmp_path, replace_existing=True)
    assert (tmp_path / "physics.yaml").read_text(encoding="utf-8") == "- not a bank"


@pytest.mark.parametrize("format", LOSSLESS)
def test_a_template_holds_to_the_schema_and_its_findings_are_the_places_to_fill(format: Format) -> None:
    seen = preview_bytes(f"start{SUFFIXES[format]}", make_template(format, "geology", "rocks"))  # type: ignore[arg-type]
    assert seen.bank is not None and seen.bank.discipline == "geology" and seen.bank.areas[0].key == "rocks"
    assert {f.code for f in seen.findings} == {"placeholder"} and len(seen.findings) == 11
    assert "case-1-question-1" not in {f.question for f in seen.findings}


def test_templates_in_every_format_hold_the_same_bank() -> None:
    banks = [preview_bytes(f"x{SUFFIXES[f]}", make_template(f)).bank for f in LOSSLESS]  # type: ignore[arg-type]
    assert banks[0] is not None and all(same(other, banks[0]) for other in banks)
    assert b"# " + HEADER[0].encode() in make_template("csv")
