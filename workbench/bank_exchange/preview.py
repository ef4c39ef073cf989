"""What an import would make, before anything is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bank_exchange.csv_format import read_csv
from workbench.bank_exchange.draft import Draft, Unmapped, validate
from workbench.bank_exchange.gathering import whole_questions
from workbench.bank_exchange.moodle import read_moodle
from workbench.bank_exchange.qti import read_qti
from workbench.bank_exchange.source import Format, Source, format_of, from_bytes, from_path
from workbench.bank_exchange.xlsx_format import read_xlsx
from workbench.bank_exchange.yaml_format import read_yaml
from workbench.exam.bank_file import BankError, Finding
from workbench.exam.items import Bank

_READERS: dict[Format, Callable[[Source], Draft]] = {
    "yaml": read_yaml,
    "csv": read_csv,
    "xlsx": read_xlsx,
    "moodle": read_moodle,
    "qti": read_qti,
}
CARD_FIELDS = ("discipline", "title", "version", "licence")


@dataclass(frozen=True)
class Preview:
    """What an import would make.

    Attributes:
        name: The file as it was given.
        format: Its format; None where it could not be told.
        bank: What would be saved; None where the file does not hold a bank.
        findings: Why there is no bank, else what `viva bank check` finds in it.
        unmapped: What of the file was left out, and why.
        read: Everything that was read, holes and all, in the shape of a bank file.
    """

    name: str
    format: Format | None
    bank: Bank | None
    findings: tuple[Finding, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    read: Mapping[str, Any] | None = None

    @property
    def summary(self) -> list[dict[str, Any]]:
        """An object an area with its title and counts; empty without a bank."""
        if self.bank is None:
            return []
        return [
            {
                "discipline": self.bank.discipline,
                "area": area.key,
                "title": area.title,
                "scenarios": len(area.scenarios),
                "questions": len(area.questions),
                "key_points": sum(len(question.key_points) for question in area.questions),
                "exemplars": sum(len(question.exemplars) for question in area.questions),
            }
            for area in self.bank.areas
        ]


def preview(
    path: Path, *, format: Format | None = None, card: Mapping[str, str] | None = None, others: Sequence[Bank] = ()
) -> Preview:
    """Reads a file or folder; saves nothing and raises nothing for what it holds.

    Args:
        path: YAML (file or folder), CSV, XLSX, Moodle XML, QTI 3 (XML or zip).
        format: Its format; without it, told from what it holds and its ending.
        card: `discipline`, `title`, `version` and `licence`, over those of the file.
        others: Banks there are: their questions are not to be asked again, and one of the same discipline lends its
            card to a file without one.
    """
    return _preview(lambda: from_path(path), str(path), format, card or {}, others)


def preview_bytes(
    name: str,
    data: bytes,
    *,
    format: Format | None = None,
    card: Mapping[str, str] | None = None,
    others: Sequence[Bank] = (),
) -> Preview:
    """As `preview`, of an upload; `name` is the name of the file as the browser gave it."""
    return _preview(lambda: from_bytes(name, data), name, format, card or {}, others)


def _preview(
    read: Callable[[], Source], name: str, format: Format | None, card: Mapping[str, str], others: Sequence[Bank]
) -> Preview:
    try:
        source = read()
        format = format or format_of(source)
        draft = _READERS[format](source)
    except BankError as error:
        return Preview(name, format, None, error.findings)
    _complete_card(draft.data, card, others, lends=format in ("moodle", "qti") or "discipline" not in draft.data)
    whole = whole_questions(draft) if format in ("moodle", "qti") else draft
    bank, findings = validate(whole, others)
    return Preview(name, format, bank, tuple(findings), tuple(whole.unmapped), draft.data)


def _complete_card(data: dict[str, Any], card: Mapping[str, str], others: Sequence[Bank], *, lends: bool) -> None:
    data.update({name: value for name, value in card.items() if name in CARD_FIELDS and value})
    known = next((bank for bank in others if bank.discipline == data.get("discipline")), None)
    if not lends:
        return
    if known is not None:
        lent = {
            "title": known.title, "version": known.version, "licence": known.licence, "authors": list(known.authors),
            "description": known.description, "not_for": known.not_for,
        }  # fmt: skip
        for name, value in lent.items():
            if not data.get(name):
                data[name] = value
    elif data.get("discipline"):
        data["title"] = data.get("title") or str(data["discipline"]).replace("_", " ").capitalize()
        data.setdefault("version", "1.0.0")
