"""Reads the store a table at a time, in batches of rows, with names taken out of everything that was said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Text, case, func, select, type_coerce

from workbench.store import recordings
from workbench.store.database import database_url, public_url
from workbench.store.repository import Store
from workbench.store.research_export import bank_version, name_parts, name_remover, questions_in, rater_pseudonym
from workbench.store.tables import (
    Answers,
    Evaluations,
    Events,
    QuestionBanks,
    Results,
    Sessions,
    Turns,
    Users,
    Words,
)  # fmt: skip
from workbench.store.tables_educators import Sittings

BATCH = 100_000
"""Rows fetched at a time: the rows of a table are never all Python objects at once."""

Query = Any
"""A `Select`; its type parameters differ between SQLAlchemy 2.0 and 2.1."""

_TEXT, _REAL, _WHOLE, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_MOMENT = pa.timestamp("us", tz="UTC")


class StoreSource:
    """The raw tables of `tidy.py`, from a store.

    Args:
        store: The open store; closing it is the caller's.
        running: Whether vivas that have not ended yet are read too.
        cohort_id: Only the vivas of this cohort; None for all.
    """

    def __init__(self, store: Store, *, running: bool = False, cohort_id: int | None = None) -> None:
        self.store = store
        self.running = running
        self.cohort_id = cohort_id
        self.about = f"the store {public_url(database_url(store.settings))}"

    def recording(self, session_id: str) -> Path | None:
        """The recording of a viva, None when there is none."""
        return recordings.find(self.store.recordings_dir, session_id)

    def raw_sessions(self) -> pd.DataFrame:
        """One row a viva, oldest first, with what was counted over its turns and answers."""
        answered = (
            select(
                Answers.session_id,
                func.count(func.distinct(Answers.number)).label("n_items"),
                func.avg(case((Answers.skipped, None), (Answers.typed, 1.0), else_=0.0)).label("typed_share"),
            )
            .group_by(Answers.session_id)
            .subquery()
        )
        spoken = select(Turns.session_id, func.max(Turns.end_s).label("end_s")).group_by(Turns.session_id).subquery()
        query = (
            select(
                Sessions.id, Users.pseudonym, Sessions.discipline, Sessions.area, Sessions.mode, Sessions.seed,
                Sessions.setup, Sessions.started_at, Sessions.ended_at, Sessions.status, Sessions.record,
                Sessions.judge, Sessions.adapter, Sessions.bank_id, Sittings.cohort_id, Results.completed,
                Results.score, Results.max_score, answered.c.n_items, answered.c.typed_share, spoken.c.end_s,
            )
            .join(Users, Users.id == Sessions.user_id)
            .join(Results, Results.session_id == Sessions.id, isouter=True)
            .join(Sittings, Sittings.session_id == Sessions.id, isouter=True)
            .join(answered, answered.c.session_id == Sessions.id, isouter=True)
            .join(spoken, spoken.c.session_id == Sessions.id, isouter=True)
            .order_by(Sessions.started_at, Sessions.id)
        )  # fmt: skip
        names = (
            "session_id", "candidate_id", "discipline", "area", "mode", "seed", "options", "started_at", "ended_at",
            "status", "recorded", "judge", "adapter", "bank_id", "cohort_id", "completed", "score", "max_score",
            "n_items", "typed_share", "end_s",
        )  # fmt: skip
        types = (
            _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _WHOLE, _TEXT, _MOMENT, _MOMENT, _TEXT, _FLAG, _TEXT, _TEXT, _WHOLE,
            _WHOLE, _FLAG, _REAL, _REAL, _WHOLE, _REAL, _REAL,
        )  # fmt: skip

        def as_text(row: Sequence[Any]) -> tuple[Any, ...]:
            values = list(row)
            values[6] = json.dumps({key: value for key, value in (row[6] or {}).items() if key != "candidate"})
            return tuple(values)

        frame = self._frame(self._of_sessions(query), names, types, each=as_text)
        versions = {bank_id: bank_version(text) for bank_id, text in self._banks.items()}
        frame["bank_version"] = pd.array(
            [versions.get(bank_id) for bank_id in frame.pop("bank_id")], dtype="string[pyarrow]"
        )
        return frame

    def raw_turns(self) -> pd.DataFrame:
        """One row a turn, without the candidate's name."""
        query = self._of_sessions(
            select(
                Turns.session_id, Turns.position, Turns.role, Turns.kind, Turns.number, Turns.text, Turns.heard_text,
                Turns.corrected_text, Turns.interrupted, Turns.typed, Turns.confidence, Turns.start_s, Turns.end_s,
            ).join(Sessions, Sessions.id == Turns.session_id)
        )  # fmt: skip
        names = (
            "session_id", "turn_index", "speaker", "kind", "item_index", "text", "heard_text", "text_corrected",
            "interrupted", "typed", "confidence", "start_s", "end_s",
        )  # fmt: skip
        types = (_TEXT, _WHOLE, _TEXT, _TEXT, _WHOLE, _TEXT, _TEXT, _TEXT, _FLAG, _FLAG, _REAL, _REAL, _REAL)

        def unnamed(row: Sequence[Any]) -> Sequence[Any]:
            who = self._names.get(row[0])
            if who is None:
                return row
            clean = name_remover(*who, anywhere=row[4] is None)
            texts = (None if text is None else clean(text) for text in row[5:8])
            return (*row[:5], *texts, *row[8:])

        return self._sorted(self._frame(query, names, types, each=unnamed), ["turn_index"])

    def raw_times(self) -> pd.DataFrame:
        """The turns without their words."""
        query = self._of_sessions(
            select(
                Turns.session_id, Turns.position, Turns.role, Turns.kind, Turns.number, Turns.start_s, Turns.end_s
            ).join(Sessions, Sessions.id == Turns.session_id)
        )  # fmt: skip
        names = ("session_id", "turn_index", "speaker", "kind", "item_index", "start_s", "end_s")
        types = (_TEXT, _WHOLE, _TEXT, _TEXT, _WHOLE, _REAL, _REAL)
        return self._sorted(self._frame(query, names, types, plain=True), ["turn_index"])

    def raw_words(self) -> pd.DataFrame:
        """One row a recognised word, without the candidate's name."""
        turns = self._frame(
            self._of_sessions(
                select(Turns.id, Turns.session_id, Turns.position, Turns.role, Turns.number).join(
                    Sessions, Sessions.id == Turns.session_id
                )
            ),
            ("turn_id", "session_id", "turn_index", "speaker", "item_index"),
            (_WHOLE, _TEXT, _WHOLE, _TEXT, _WHOLE),
            plain=True,
        ).sort_values("turn_id", ignore_index=True)
        words = self._frame(
            select(Words.turn_id, Words.position, Words.text, Words.start_s, Words.end_s, Words.probability),
            ("turn_id", "word_index", "word", "start_s", "end_s", "confidence"),
            (_WHOLE, _WHOLE, _TEXT, _REAL, _REAL, _REAL),
            plain=True,
        )
        at = np.searchsorted(turns["turn_id"].to_numpy(), words["turn_id"].to_numpy())
        there = at < len(turns)
        there[there] = turns["turn_id"].to_numpy()[at[there]] == words["turn_id"].to_numpy()[there]
        if not there.all():
            words, at = words[there].reset_index(drop=True), at[there]
        codes = self._order_of(turns["session_id"])[at]
        order = np.lexsort((words["word_index"].to_numpy(), turns["turn_index"].to_numpy()[at], codes))
        at, codes = at[order], codes[order]
        words = words.drop(columns="turn_id").iloc[order].reset_index(drop=True)
        for name in ("session_id", "turn_index", "speaker"):
            words[name] = turns[name].iloc[at].array
        anywhere = turns["item_index"].isna().to_numpy()[at]
        words["word"] = self._unnamed_words(words["word"], codes, anywhere)
        return words

    def raw_answers(self) -> pd.DataFrame:
        """One row an answer in the order given, with what the bank says of its question."""
        query = self._of_sessions(
            select(
                Answers.session_id, Answers.number, Answers.question_id, Answers.text, Answers.typed, Answers.probe,
                Answers.skipped, Sessions.bank_id, Answers.id,
            ).join(Sessions, Sessions.id == Answers.session_id)
        )  # fmt: skip
        names = (
            "session_id", "item_index", "question_id", "text", "typed", "probe", "skipped", "bank_id", "row_id"
        )  # fmt: skip
        types = (_TEXT, _WHOLE, _TEXT, _TEXT, _FLAG, _FLAG, _FLAG, _WHOLE, _WHOLE)

        def unnamed(row: Sequence[Any]) -> Sequence[Any]:
            who = self._names.get(row[0])
            if who is None:
                return row
            return (*row[:3], name_remover(*who, anywhere=False)(row[3]), *row[4:])

        frame = self._sorted(self._frame(query, names, types, each=unnamed), ["item_index", "row_id"])
        facts = pd.DataFrame(
            [
                {"bank_id": bank_id, "question_id": question_id, **found}
                for bank_id, text in self._banks.items()
                for question_id, found in questions_in(text).items()
            ],
            columns=["bank_id", "question_id", "scenario_id", "difficulty", "cognitive_level"],
        ).astype({"bank_id": "Int64", "question_id": "string[pyarrow]", "difficulty": "Int64"})
        frame["bank_id"] = frame["bank_id"].astype("Int64")
        return frame.merge(facts, how="left", on=["bank_id", "question_id"]).drop(columns=["bank_id", "row_id"])

    def raw_marks(self) -> pd.DataFrame:
        """One row a mark in the order given; educators by pseudonym."""
        query = self._of_sessions(
            select(
                Evaluations.session_id, Evaluations.number, Evaluations.question_id, Evaluations.verdict,
                Evaluations.points, Evaluations.confidence, Evaluations.judge, Evaluations.rater,
                Evaluations.created_at, type_coerce(Evaluations.evidence, Text), Evaluations.id,
                Evaluations.restores_id,
            ).join(Sessions, Sessions.id == Evaluations.session_id)
        )  # fmt: skip
        names = (
            "session_id", "item_index", "question_id", "verdict", "points", "confidence", "judge", "rater",
            "marked_at", "evidence", "mark_id", "restores_id",
        )  # fmt: skip
        types = (_TEXT, _WHOLE, _TEXT, _TEXT, _REAL, _REAL, _TEXT, _TEXT, _MOMENT, _TEXT, _WHOLE, _WHOLE)
        key = self.store.research_key()

        raters: dict[str, str] = {}

        def unnamed(row: Sequence[Any]) -> Sequence[Any]:
            evidence, rater = row[9], row[7]
            if row[0] in self._names:
                evidence = self._unnamed_evidence(evidence, *self._names[row[0]])
            if rater not in raters:
                raters[rater] = rater_pseudonym(key, rater)
            return (*row[:7], raters[rater], row[8], evidence, *row[10:])

        return self._sorted(self._frame(query, names, types, each=unnamed), ["item_index", "mark_id"])

    def raw_events(self) -> pd.DataFrame:
        """One row an event in the order they came."""
        query = self._of_sessions(
            select(Events.session_id, Events.at_s, Events.type, Events.data, Events.id).join(
                Sessions, Sessions.id == Events.session_id
            )
        )
        names = ("session_id", "at_s", "kind", "detail", "row_id")

        def as_text(row: Sequence[Any]) -> Sequence[Any]:
            return (*row[:3], json.dumps(row[3] or {}), row[4])

        frame = self._frame(query, names, (_TEXT, _REAL, _TEXT, _TEXT, _WHOLE), each=as_text)
        return self._sorted(frame, ["row_id"]).drop(columns="row_id")

    # ---- what they share ----

    @staticmethod
    def _unnamed_evidence(evidence: str, name: str, pseudonym: str) -> str:
        low = evidence.lower()
        if name.isascii() and not any(part.lower() in low for part in name_parts(name)):
            return evidence
        clean = name_remover(name, pseudonym, anywhere=False)
        return json.dumps([{**point, "quote": clean(point.get("quote") or "")} for point in json.loads(evidence)])

    @cached_property
    def _session_order(self) -> pd.Index:
        query = select(Sessions.id).order_by(Sessions.started_at, Sessions.id)
        frame = self._frame(self._of_sessions(query), ("session_id",), (_TEXT,))
        return pd.Index(frame["session_id"])

    @cached_property
    def _names(self) -> dict[str, tuple[str, str]]:
        """Name and pseudonym of the candidate of each viva, where a name was given."""
        query = (
            select(Sessions.id, Sessions.candidate_name, Users.pseudonym)
            .join(Users, Users.id == Sessions.user_id)
            .where(Sessions.candidate_name.is_not(None))
        )
        with self.store.querying() as connection:
            rows = connection.execute(self._of_sessions(query)).all()
        return {row[0]: (row[1], row[2]) for row in rows if name_parts(row[1])}

    @cached_property
    def _banks(self) -> dict[int, str]:
        """The text of every kept bank by its id."""
        with self.store.querying() as connection:
            return {row.id: row.content for row in connection.execute(select(QuestionBanks.id, QuestionBanks.content))}

    def _of_sessions(self, query: Query) -> Query:
        """The query, kept to the vivas that are wanted; it must have `Sessions` among its tables."""
        if not self.running:
            query = query.where(Sessions.status != "running")
        if self.cohort_id is not None:
            wanted = select(Sittings.session_id).where(Sittings.cohort_id == self.cohort_id)
            query = query.where(Sessions.id.in_(wanted))
        return query

    def _frame(
        self,
        query: Query,
        names: Sequence[str],
        types: Sequence[pa.DataType],
        *,
        each: Any = None,
        plain: bool = False,
    ) -> pd.DataFrame:
        """The rows of a query as a frame.

        Args:
            query: The query.
            names: Names of the columns.
            types: Their types.
            each: Makes a row another one before it is put away.
            plain: Whether the driver's own values will do: text and numbers, no moments, flags or JSON.
        """
        fields = pa.schema(list(zip(names, types, strict=True)))
        with self.store.querying() as connection:
            batches = [
                _batch(rows if each is None else map(each, rows), fields)
                for rows in _in_batches(connection, query, plain=plain)
            ]
        # pandas cannot join on text of no chunk at all
        return as_frame(pa.Table.from_batches(batches or [_batch((), fields)], fields))

    def _order_of(self, session_ids: pd.Series) -> np.ndarray:
        return self._session_order.get_indexer(session_ids)

    def _sorted(self, frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
        """The frame by the start of the vivas, and within one by the columns given."""
        keys = [frame[name].to_numpy() for name in reversed(by)]
        order = np.lexsort((*keys, self._order_of(frame["session_id"])))
        return frame.iloc[order].reset_index(drop=True)

    def _unnamed_words(self, words: pd.Series, codes: np.ndarray, anywhere: np.ndarray) -> pd.Series:
        """The words with every part of the speaker's viva's name replaced, by the rules of `without_name`."""
        encoded = pa.array(words).dictionary_encode() if len(words) else None
        if encoded is None or not self._names:
            return words
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        vocabulary = encoded.dictionary.to_pylist()
        places = encoded.indices.to_numpy(zero_copy_only=False)
        lowered: dict[str, list[int]] = {}
        for place, word in enumerate(vocabulary):
            for part in {word.lower(), word.lower().strip(".,!?;:'\"-"), word.lower().removesuffix("'s")}:
                lowered.setdefault(part, []).append(place)
        suspects = [
            code * len(vocabulary) + place
            for code, session_id in enumerate(self._session_order)
            if session_id in self._names
            for part in name_parts(self._names[session_id][0])
            for place in lowered.get(part.lower(), ())
        ]
        hit = np.flatnonzero(np.isin(codes * len(vocabulary) + places, suspects))
        if not hit.size:
            return words
        replaced = words.to_numpy(dtype=object, copy=True)
        for row in hit:
            name, pseudonym = self._names[self._session_order[codes[row]]]
            replaced[row] = name_remover(name, pseudonym, anywhere=bool(anywhere[row]))(replaced[row])
        return pd.Series(replaced, index=words.index, dtype="string[pyarrow]")


def as_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a frame: text stays in Arrow, whole numbers with gaps become `Int64`."""

    def mapped(kind: pa.DataType) -> Any:
        return pd.StringDtype("pyarrow") if kind in (pa.string(), pa.large_string()) else None

    frame = table.to_pandas(types_mapper=mapped, integer_object_nulls=False, split_blocks=True, self_destruct=True)
    return frame


def _in_batches(connection: Connection, query: Query, *, plain: bool) -> Iterator[Sequence[Any]]:
    """The rows of a query, some at a time; with `plain` straight from the driver, which is twice as fast."""
    if not plain:
        yield from connection.execution_options(yield_per=BATCH).execute(query).partitions()
        return
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    driver = connection.connection.cursor()
    try:
        driver.execute(str(compiled))
        while rows := driver.fetchmany(BATCH):
            yield rows
    finally:
        driver.close()


def _batch(rows: Iterable[Sequence[Any]], fields: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    if not columns:
        columns = [()] * len(fields)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)], schema=fields
    )
