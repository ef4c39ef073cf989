"""Moodle XML and QTI 3: what maps, what is left out and why, and the way back."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from workbench.bank_exchange import Format, export_bank, preview_bytes
from workbench.bank_exchange.html_blocks import html_blocks, plain_blocks
from workbench.bank_exchange.marking_notes import read_notes
from workbench.exam.bank import load_banks
from workbench.exam.items import Bank

NAMES: dict[Format, str] = {"moodle": "x.xml", "qti": "x.zip"}
QTI = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"


def without_exemplars(bank: Bank) -> list[Any]:
    return [(a.key, a.title, s.id, s.title, s.text, replace(q, exemplars=())) for a, s, q in bank.questions()]


@pytest.mark.parametrize("format", ["moodle", "qti"])
@pytest.mark.parametrize("discipline", ["medical", "law", "engineering"])
def test_questions_survive_and_what_is_lost_is_named(discipline: str, format: Format) -> None:
    built_in = load_banks()[discipline]
    exported = export_bank(built_in, format)
    back = preview_bytes(NAMES[format], exported.data, card={"licence": "CC-BY-4.0"})
    assert back.bank is not None and back.format == format and back.unmapped == ()
    assert without_exemplars(back.bank) == without_exemplars(built_in)
    n_exemplars = sum(len(q.exemplars) for _, _, q in built_in.questions())
    assert exported.losses[0].startswith(f"{n_exemplars} exemplars")
    assert {f.code for f in back.findings} == {"exemplars"}
    assert (back.bank.discipline, back.bank.title) == (built_in.discipline, built_in.title)
    if format == "moodle":
        assert back.bank.areas[0].jurisdiction == built_in.areas[0].jurisdiction
        assert (back.bank.version, back.bank.authors) == (built_in.version, built_in.authors)
    else:
        assert any("licence" in loss for loss in exported.losses)
        assert any(f.file.startswith("x.zip/items/") for f in back.findings)


def essay(name: str, stem: str, notes: str, kind: str = "essay", more: str = "", form: str = "html") -> str:
    return (
        f'<question type="{kind}"><name><text>{name}</text></name>'
        f'<questiontext format="html"><text><![CDATA[{stem}]]></text></questiontext>{more}'
        f'<graderinfo format="{form}"><text><![CDATA[{notes}]]></text></graderinfo></question>'
    )


def quiz(*questions: str) -> bytes:
    category = '<question type="category"><category><text>$course$/top/Physics/Light</text></category></question>'
    return f'<?xml version="1.0"?><quiz>\n{category}\n{chr(10).join(questions)}\n</quiz>'.encode()


CASE = essay("A prism", "<p>A ray falls on a <b>prism</b>.</p>", "", "description")


def test_a_teachers_essay_gives_stem_answer_and_key_points_with_their_marks() -> None:
    notes = (
        "<p>Model answer: It is red. It is green.</p><p>Marking:</p><ul><li>Red light (2 marks)"
        "<ul><li>Accept: red; crimson</li><li>Do not accept: pink</li></ul></li>"
        "<li>1 mark: green light</li><li>[1] blue light</li></ul><p>Source: Newton, Opticks, 1704</p>"
    )
    seen = preview_bytes("x.xml", quiz(CASE, essay("Q1", "<p>Which colours?</p>", notes)))
    assert seen.read is not None
    question = seen.read["areas"][0]["scenarios"][0]["questions"][0]
    assert question["stem"] == "Which colours?" and question["model_answer"] == "It is red. It is green."
    assert [(p["id"], p["weight"]) for p in question["key_points"]] == [
        ("red-light", 0.5),
        ("green-light", 0.25),
        ("blue-light", 0.25),
    ]
    assert question["key_points"][0]["accepted"] == ["red", "crimson"]
    assert question["key_points"][0]["misconceptions"] == ["pink"]
    assert question["sources"] == ["Newton, Opticks, 1704"]
    assert seen.read["areas"][0]["scenarios"][0]["text"] == "A ray falls on a prism."
    assert (seen.read["discipline"], seen.read["areas"][0]["key"]) == ("physics", "light")
    # what the file does not tell is listed, and nothing is made up
    assert seen.bank is None
    (left,) = [item for item in seen.unmapped if item.name == "question q1"]
    assert left.line == 4 and "key_points.0.probe: is missing" in left.reason and "more" in left.reason


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (essay("M", "Which?", "", "multichoice"), "options to choose from"),
        (essay("N", "How many?", "", "numerical"), "only essay, shortanswer and description"),
        (essay("E", "Why?", "Just an answer."), "key_points: is missing"),
        (
            essay("S", "Which?", "", "shortanswer", '<answer fraction="100"><text>red</text></answer>'),
            "it has 1 key point; three to six are needed",
        ),
        (essay("P", '<p>See <img src="a.png" alt="a prism"/></p>', "x"), "img a prism: pictures and sound"),
    ],
)
def test_what_cannot_be_mapped_is_listed_with_its_reason(question: str, reason: str) -> None:
    seen = preview_bytes("x.xml", quiz(CASE, question))
    assert seen.bank is None
    told = [str(item) for item in seen.unmapped if reason in item.reason]
    assert told and told[0].startswith("x.xml:4: "), [str(item) for item in seen.unmapped]


def test_a_question_before_any_case_says_so() -> None:
    seen = preview_bytes("x.xml", quiz(essay("Q1", "Which?", "<ul><li>red</li><li>green</li><li>blue</li></ul>")))
    assert any("belongs to no case" in item.reason for item in seen.unmapped)
    assert any("no marks" in item.reason for item in seen.unmapped)


def test_one_question_with_holes_does_not_keep_the_others_from_being_read() -> None:
    data = export_bank(load_banks()["medical"], "moodle", "cardiology").data
    more = essay("extra", "Why?", "Because.").encode()
    seen = preview_bytes("x.xml", data.replace(b"</quiz>", more + b"</quiz>"))
    assert seen.bank is not None and len(seen.bank.areas[0].questions) == 12
    assert [item.name for item in seen.unmapped] == ["question extra"]


def test_notes_of_plain_text_are_read_by_their_dashes_and_numbers() -> None:
    text = "It is white light.\n\nKey points:\n1. red (40%)\n   accepted: red; crimson\n2) green (30%)\n- blue (30%)\n"
    fields, remarks = read_notes(plain_blocks(text))
    assert fields["model_answer"] == "It is white light." and remarks == []
    assert [p["weight"] for p in fields["key_points"]] == pytest.approx([0.4, 0.3, 0.3])
    assert fields["key_points"][0]["accepted"] == ["red", "crimson"]


def test_html_gives_its_text_without_scripts() -> None:
    blocks, dropped = html_blocks("<p>a &amp; b<script>x()</script></p><ul><li>c<br>d</li></ul><video src='v'></video>")
    assert [(b.text, b.depth, b.begins) for b in blocks] == [("a & b", 0, False), ("c", 1, True), ("d", 1, False)]
    assert dropped == ["video v"]


def item(identifier: str, inside: str, more: str = "") -> bytes:
    return (
        f'<qti-assessment-item xmlns="{QTI}" identifier="{identifier}" title="T">{more}'
        f"<qti-item-body>{inside}</qti-item-body></qti-assessment-item>"
    ).encode()


def test_a_single_item_tells_its_stem_and_what_is_missing() -> None:
    body = (
        "<p>Look.</p><qti-extended-text-interaction response-identifier='R'><qti-prompt>Which colours?</qti-prompt>"
        "</qti-extended-text-interaction><qti-rubric-block view='scorer'><p>It is red.</p></qti-rubric-block>"
    )
    seen = preview_bytes("x.xml", item("Q1", body))
    assert seen.format == "qti" and seen.read is not None
    question = seen.read["areas"][0]["scenarios"][0]["questions"][0]
    assert (question["id"], question["stem"], question["model_answer"]) == ("q1", "Look. Which colours?", "It is red.")
    assert "belongs to no case" in seen.unmapped[0].reason


def test_text_entry_gives_its_right_responses_as_wordings_and_names_of_qti_2_are_read() -> None:
    text = (
        '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="Q1">'
        '<responseDeclaration identifier="R"><correctResponse><value>red</value></correctResponse>'
        "</responseDeclaration>"
        '<itemBody><p>Which? <textEntryInteraction responseIdentifier="R"/></p></itemBody></assessmentItem>'
    )
    seen = preview_bytes("x.xml", text.encode())
    assert seen.read is not None
    question = seen.read["areas"][0]["scenarios"][0]["questions"][0]
    assert question["stem"] == "Which?" and question["key_points"][0]["accepted"] == ["red"]


def test_other_interactions_are_left_out_by_name() -> None:
    seen = preview_bytes("x.xml", item("Q1", "<qti-choice-interaction response-identifier='R'/>"))
    assert "choice-interaction" in seen.unmapped[0].reason


def repacked(change: dict[str, bytes | None]) -> bytes:
    original = export_bank(load_banks()["medical"], "qti", "cardiology").data
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = change.get(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return out.getvalue()


def test_a_package_that_names_a_file_it_lacks_says_which() -> None:
    seen = preview_bytes("x.zip", repacked({"items/card-arrest-drugs.xml": None}))
    assert seen.bank is None
    assert "card-arrest-drugs.xml', which is not in the package" in seen.findings[0].message
    assert seen.findings[0].file == "x.zip/imsmanifest.xml"


def test_a_reference_out_of_the_package_is_not_followed() -> None:
    manifest = (
        b'<manifest><resources><resource identifier="a" type="imsqti_item_xmlv3p0" href="../../../etc/x.xml"/>'
        b"</resources></manifest>"
    )
    seen = preview_bytes("x.zip", repacked({"imsmanifest.xml": manifest}))
    assert seen.bank is None and "not in the package" in seen.findings[0].message


def test_an_exported_package_is_well_formed_and_lists_every_file() -> None:
    data = export_bank(load_banks()["law"], "qti").data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        roots = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}
    hrefs = {element.get("href") for element in roots["imsmanifest.xml"].iter() if element.tag.endswith("}resource")}
    assert hrefs == set(roots) - {"imsmanifest.xml"}
    assert all(root.tag.startswith(f"{{{QTI}}}") for name, root in roots.items() if name != "imsmanifest.xml")
    assert export_bank(load_banks()["law"], "qti").data == data
