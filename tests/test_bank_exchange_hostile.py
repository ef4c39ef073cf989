"""Files that attack the reader: each is refused with a finding, none harms or hangs."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.test_bank import bank
from tests.test_bank_exchange import as_bytes, previewed
from workbench.bank_exchange import export_bank, preview, preview_bytes
from workbench.bank_exchange.source import MAX_FILE_BYTES, MAX_UNPACKED_BYTES

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE quiz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;">]>
<quiz><question type="essay"><name><text>&e;</text></name></question></quiz>"""


def packed(files: dict[str, bytes], *, level: int = 6) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def only_finding(name: str, data: bytes, code: str) -> str:
    seen = preview_bytes(name, data)
    assert seen.bank is None and seen.read is None
    (finding,) = seen.findings
    assert finding.code == code, str(finding)
    return finding.message


@pytest.mark.parametrize("name", ["x.xml", "x.zip"])
def test_entities_that_grow_are_not_expanded(name: str) -> None:
    data = LAUGHS if name == "x.xml" else packed({"imsmanifest.xml": LAUGHS})
    assert "<!DOCTYPE" in only_finding(name, data, "xml")


@pytest.mark.parametrize(
    "declaration",
    ['<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;', "<!ELEMENT a ANY>"],
)
def test_files_and_addresses_outside_are_not_read(declaration: str) -> None:
    text = f'<?xml version="1.0"?><!DOCTYPE quiz [{declaration}]><quiz><question type="essay">&x;</question></quiz>'
    message = only_finding("x.xml", text.encode(), "xml")
    assert "root:" not in message


def test_a_workbook_with_entities_in_a_sheet_is_refused() -> None:
    parsed = previewed(bank()).bank
    assert parsed is not None
    files = {}
    with zipfile.ZipFile(io.BytesIO(export_bank(parsed, "xlsx").data)) as archive:
        for name in archive.namelist():
            files[name] = archive.read(name)
    bomb = b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;">]>'
    for name in [n for n in files if n.startswith("xl/worksheets/sheet")]:
        head, sep, tail = files[name].partition(b"?>")
        files[name] = head + sep + bomb + tail if sep else bomb + files[name]
    seen = preview_bytes("x.xlsx", packed(files))
    assert seen.bank is None and seen.findings[0].code == "unreadable"


def test_yaml_aliases_that_grow_or_loop_are_refused_at_once() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    began = time.process_time()
    assert "alias" in only_finding("x.yaml", "\n".join(rows).encode(), "yaml")
    assert "alias" in only_finding("x.yaml", b"a: &a [*a]", "yaml")
    # the expansion would have 9**39 parts: this separates a second from never
    assert time.process_time() - began < 60


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000 + "x"])
def test_deep_yaml_is_refused(text: str) -> None:
    only_finding("x.yaml", text.encode(), "yaml")


def test_yaml_tags_make_no_objects(tmp_path: Path) -> None:
    text = f"title: !!python/object/apply:pathlib.Path.touch ['{tmp_path / 'made'}']"
    only_finding("x.yaml", text.encode(), "yaml")
    assert list(tmp_path.iterdir()) == []


def test_deep_xml_is_refused() -> None:
    assert "deep" in only_finding("x.xml", b"<quiz>" + b"<a>" * 100_000, "xml")


@pytest.mark.parametrize("name", ["../../a.yaml", "/etc/a.yaml", "a/../../b.yaml", "..\\a.yaml", "C:/a.yaml"])
def test_archives_that_name_places_outside_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in" / "x.zip"
    path.parent.mkdir()
    path.write_bytes(packed({name: b"discipline: x"}))
    seen = preview(path)
    assert seen.bank is None and seen.findings[0].code == "archive"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "x.zip"]


def test_a_link_in_an_archive_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("bank.yaml")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "link" in only_finding("x.zip", out.getvalue(), "archive")


@pytest.mark.parametrize("ending", ["zip", "xlsx"])
def test_a_bomb_of_200_megabytes_is_refused_before_it_is_unpacked(ending: str) -> None:
    names = {"zip": ["items/a.xml"], "xlsx": ["[Content_Types].xml", "xl/workbook.xml"]}[ending]
    bomb = packed({name: b"\0" * (200_000_000 // len(names)) for name in names}, level=1)
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    message = only_finding(f"x.{ending}", bomb, "archive")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"{MAX_UNPACKED_BYTES:,}" in message and peak < 20_000_000


def test_a_listing_that_lies_about_sizes_is_found() -> None:
    data = bytearray(packed({"bank.yaml": b"x" * 3_000_000}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert "damaged" in only_finding("x.zip", bytes(data), "archive")


def test_too_many_files_and_too_large_files_are_refused() -> None:
    many = packed({f"{n}.yaml": b"" for n in range(2001)})
    assert "2001 files" in only_finding("x.zip", many, "archive")
    assert f"{MAX_FILE_BYTES:,}" in only_finding("x.yaml", b"a" * (MAX_FILE_BYTES + 1), "too-large")


@pytest.mark.parametrize("name", ["x.yaml", "x.csv", "x.xlsx", "x.xml", "x.zip", "x"])
@pytest.mark.parametrize("data", [b"", b" \n\t"])
def test_an_empty_file_is_called_empty(name: str, data: bytes) -> None:
    assert "empty" in only_finding(name, data, "empty")


@pytest.mark.parametrize("name", ["x.yaml", "x.csv"])
def test_a_text_in_another_encoding_is_refused_by_line_not_read_wrongly(name: str) -> None:
    text = "kind,id\narea,a\narea,Übung\n" if name == "x.csv" else "discipline: x\ntitle: y\nlicence: Übung\n"
    seen = preview_bytes(name, text.encode("cp1252"))
    (finding,) = seen.findings
    assert finding.code == "encoding" and finding.line == 3 and "0xdc" in finding.message and "UTF-8" in finding.message


def test_xml_with_a_wrong_or_unknown_encoding_is_refused() -> None:
    only_finding("x.xml", '<?xml version="1.0" encoding="UTF-8"?><quiz>Ü</quiz>'.encode("latin-1"), "xml")
    only_finding("x.xml", b'<?xml version="1.0" encoding="klingon"?><quiz/>', "xml")


def test_nul_bytes_are_no_text() -> None:
    assert "NUL" in only_finding("x.csv", b"kind,id\narea,a\0b\n", "encoding")


@pytest.mark.parametrize("data", [b"PK\x03\x04 and no more", b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" + b"\0" * 500])
@pytest.mark.parametrize("name", ["x.zip", "x.xlsx"])
def test_damaged_archives_are_findings(name: str, data: bytes) -> None:
    assert preview_bytes(name, data).findings


def test_a_workbook_that_is_cut_off_or_garbled_is_a_finding() -> None:
    parsed = previewed(bank()).bank
    assert parsed is not None
    whole = export_bank(parsed, "xlsx").data
    for cut in (100, len(whole) // 2, len(whole) - 10):
        assert preview_bytes("x.xlsx", whole[:cut]).bank is None
    garbled = bytearray(whole)
    for at in range(200, len(whole) - 2000, 97):
        garbled[at] ^= 0xFF
    assert preview_bytes("x.xlsx", bytes(garbled)).findings


def test_a_sheet_that_claims_a_million_rows_does_not_hold_up_the_reader() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "questions"
    sheet["A1"], sheet["A1048576"] = "id", "x"
    out = io.BytesIO()
    workbook.save(out)
    assert preview_bytes("x.xlsx", out.getvalue()).bank is None


def test_formulas_of_a_workbook_are_neither_computed_nor_trusted() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "bank"
    sheet.append(["discipline", "title"])
    sheet.append(['=WEBSERVICE("http://127.0.0.1:1/")', "=cmd|' /C calc'!A0"])
    out = io.BytesIO()
    workbook.save(out)
    seen = preview_bytes("x.xlsx", out.getvalue())
    assert [f.code for f in seen.findings] == ["cell", "cell"]
    assert "bank!A2: holds a formula" in seen.findings[0].message


def test_ids_that_stand_twice_are_told_with_the_first_place() -> None:
    data = bank()
    data["areas"][0]["scenarios"][3]["questions"][2]["id"] = "light-q0"  # type: ignore[index]
    seen = preview_bytes("x.yaml", as_bytes(data))
    assert seen.bank is None
    (finding,) = seen.findings
    assert finding.code == "duplicate-id" and finding.line > 100 and "taken already at x.yaml:" in finding.message


@pytest.mark.parametrize("data", [b"[]", b"- a\n- b", b"words", b"areas: 5", b"areas: [1, {scenarios: [x]}]", b"5"])
def test_yaml_of_another_shape_is_a_finding(data: bytes) -> None:
    assert preview_bytes("x.yaml", data).findings


def test_a_missing_file_and_an_unknown_ending_say_what_is_read(tmp_path: Path) -> None:
    assert preview(tmp_path / "none.yaml").findings[0].code == "unreadable"
    assert "Moodle XML" in only_finding("x.docm", b"hello", "format")
