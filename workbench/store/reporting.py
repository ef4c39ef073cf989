"""Joins what is stored of a session with the questions it was held with, and makes its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from workbench.exam.items import Bank
from workbench.store import bank_snapshot
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.store.rows import SessionData

Format = Literal["html", "json", "csv"]


def bank_of(data: SessionData, banks: Mapping[str, Bank]) -> Bank:
    """The bank a session was held with: the one kept with it, else today's of its discipline.

    Raises:
        StoreError: There is neither.
    """
    if data.bank is not None:
        return bank_snapshot.from_text(data.bank)
    if data.session.discipline not in banks:
        raise StoreError(
            f"no question bank for {data.session.discipline!r}, which session {data.session.id} was held with;"
            f" known: {', '.join(sorted(banks))}; set VIVA_BANKS_DIR to where it is"
        )
    return banks[data.session.discipline]
