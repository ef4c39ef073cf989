"""Writes a bank as a QTI 3.0 package: manifest, a test for the order, a stimulus a case, an item a question."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from html import escape
from typing import Any

from workbench.bank_exchange.marking_notes import write_notes

_QTI = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_SCHEMA = (
    f'{_XSI} xsi:schemaLocation="{_QTI} https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqti_asiv3p0_v1p0.xsd"'
)
_CP = "http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_qti(data: Mapping[str, Any]) -> bytes:
    """A zip package; the same bank gives the same bytes."""
    files: dict[str, str] = {}
    resources: list[str] = []
    sections = []
    for area in data["areas"]:
        scenarios = []
        for scenario in area["scenarios"]:
            stimulus = f"stimuli/{scenario['id']}.xml"
            files[stimulus] = _stimulus(scenario)
            resources.append(_resource(f"s-{scenario['id']}", "imsqti_stimulus_xmlv3p0", stimulus))
            references = []
            for question in scenario["questions"]:
                path = f"items/{question['id']}.xml"
                files[path] = _item(question, scenario)
                resources.append(_resource(f"i-{question['id']}", "imsqti_item_xmlv3p0", path, f"s-{scenario['id']}"))
                references.append(f'<qti-assessment-item-ref identifier="{_id(question["id"])}" href="{path}"/>')
            scenarios.append(_section(scenario["id"], scenario["title"], references))
        sections.append(_section(area["key"], area["title"], scenarios))
    files["test.xml"] = (
        f'{_HEAD}<qti-assessment-test xmlns="{_QTI}" {_SCHEMA} identifier="{_id(data["discipline"])}" '
        f'title="{escape(data["title"])}">\n'
        '<qti-test-part identifier="part" navigation-mode="linear" submission-mode="individual">\n'
        f"{''.join(sections)}</qti-test-part>\n</qti-assessment-test>\n"
    )
    resources.insert(0, _resource("test", "imsqti_test_xmlv3p0", "test.xml"))
    files["imsmanifest.xml"] = (
        f'{_HEAD}<manifest xmlns="{_CP}" {_XSI} identifier="{_id(data["discipline"])}-package">\n'
        "<metadata><schema>QTI Package</schema><schemaversion>3.0.0</schemaversion></metadata>\n<organizations/>\n"
        f"<resources>\n{''.join(resources)}</resources>\n</manifest>\n"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in ("imsmanifest.xml", *sorted(set(files) - {"imsmanifest.xml"})):
            info = zipfile.ZipInfo(path, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, files[path])
    return out.getvalue()


def _id(name: str) -> str:
    """An identifier, which may not begin with a figure."""
    return f"_{name}" if name[:1].isdigit() else name


def _resource(identifier: str, kind: str, href: str, needs: str = "") -> str:
    dependency = f'<dependency identifierref="{needs}"/>' if needs else ""
    inside = f'<file href="{href}"/>{dependency}'
    return f'<resource identifier="{identifier}" type="{kind}" href="{href}">{inside}</resource>\n'


def _section(identifier: str, title: str, inside: list[str]) -> str:
    head = f'<qti-assessment-section identifier="{_id(identifier)}" title="{escape(title)}" visible="true">'
    return f"{head}\n{chr(10).join(inside)}\n</qti-assessment-section>\n"


def _stimulus(scenario: Mapping[str, Any]) -> str:
    return (
        f'{_HEAD}<qti-assessment-stimulus xmlns="{_QTI}" {_SCHEMA} identifier="{_id(scenario["id"])}" '
        f'title="{escape(scenario["title"])}">\n<qti-stimulus-body><p>{escape(scenario["text"])}</p>'
        "</qti-stimulus-body>\n</qti-assessment-stimulus>\n"
    )


def _item(question: Mapping[str, Any], scenario: Mapping[str, Any]) -> str:
    stimulus = _id(scenario["id"])
    return (
        f'{_HEAD}<qti-assessment-item xmlns="{_QTI}" {_SCHEMA} identifier="{_id(question["id"])}" '
        f'title="{escape(question["id"])}" adaptive="false" time-dependent="false">\n'
        '<qti-response-declaration identifier="RESPONSE" cardinality="single" base-type="string"/>\n'
        '<qti-outcome-declaration identifier="SCORE" cardinality="single" base-type="float" normal-maximum="10"/>\n'
        f'<qti-assessment-stimulus-ref identifier="{stimulus}" href="../stimuli/{scenario["id"]}.xml"/>\n'
        '<qti-item-body>\n<qti-extended-text-interaction response-identifier="RESPONSE">'
        f"<qti-prompt>{escape(question['stem'])}</qti-prompt></qti-extended-text-interaction>\n"
        '<qti-rubric-block use="scoring" view="scorer"><qti-content-body>\n'
        f"{write_notes(question)}\n</qti-content-body></qti-rubric-block>\n</qti-item-body>\n</qti-assessment-item>\n"
    )
