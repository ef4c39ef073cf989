"""What each table holds: every column with its type, unit and meaning, in one place.

The schemas that check the frames (`schema.py`) and the data dictionary (`dictionary.py`) are made from this.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT = "string[pyarrow]"
KIND = "category"
REAL = "float64"
COUNT = "int64"
OPTIONAL_COUNT = "Int64"
FLAG = "bool"
MOMENT = "datetime64[us, UTC]"

VERDICTS = ("correct", "partial", "incorrect")
LEVELS = ("remember", "understand", "apply", "analyse", "evaluate", "create")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        dtype: Its pandas type.
        meaning: What stands in it, as a sentence part.
        unit: `s` for seconds, `points`, ... ; empty where there is none.
        optional: Whether it may be missing (<NA>).
        allowed: The values there are; empty for any.
        at_least: Smallest value, None for any.
        at_most: Largest value, None for any.
    """

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    optional: bool = False
    allowed: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: Its name.
        about: What one row is.
        key: Columns that together name a row, and by which the rows are ordered.
        columns: In this order.
    """

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)


def _seconds(name: str, meaning: str, *, optional: bool = False) -> Column:
    return Column(name, REAL, meaning, "s from the start of the recording", optional, at_least=0.0)


def _session_id() -> Column:
    return Column("session_id", TEXT, "the viva; a random id that says nothing about anybody")


def _item_index(meaning: str, *, optional: bool = False) -> Column:
    return Column("item_index", OPTIONAL_COUNT if optional else COUNT, meaning, "", optional, at_least=1)


SESSIONS = Table(
    "sessions",
    "one viva that has ended",
    ("session_id",),
    (
        _session_id(),
        Column("candidate_id", TEXT, "the candidate's pseudonym; shared by vivas of a person only where one is known"),
        Column("discipline", TEXT, "key of the discipline"),
        Column("area", TEXT, "key of the area; missing where none was chosen", optional=True),
        Column("mode", KIND, "how feedback was given", allowed=("practice", "exam", "talk")),
        Column("seed", COUNT, "seed of the exam's choices", at_least=0),
        Column(
            "patience",
            KIND,
            "silence before the examiner replies; missing: the server's setting",
            optional=True,
            allowed=("brisk", "default", "patient"),
        ),
        Column("started_at", MOMENT, "when it began", "UTC"),
        Column("duration_s", REAL, "its length: end of the last turn, else from start to end", "s", True, at_least=0.0),
        Column("n_items", COUNT, "questions that were answered or skipped", at_least=0),
        Column(
            "score", REAL, "sum of the marks that count; missing in free conversation", "points", True, at_least=0.0
        ),
        Column("max_score", REAL, "largest score possible", "points", True, at_least=0.0),
        Column("completed", FLAG, "whether it came to its end"),
        Column("status", KIND, "how it ended", allowed=("running", "finished", "stopped", "abandoned")),
        Column("judge", TEXT, "name and version of the judge that marked it", optional=True),
        Column("adapter", TEXT, "language model or adapter that worded the examiner's lines", optional=True),
        Column(
            "extra_time", REAL, "accommodation: factor on pauses and time limits, 1 is none", "factor", at_least=1.0
        ),
        Column(
            "speaking_rate", REAL, "accommodation: rate of the examiner's voice, 1 is usual", "factor", at_least=0.0
        ),
        Column("typed", FLAG, "whether most answers were typed"),
        Column("recorded", FLAG, "whether the candidate agreed to a recording"),
        Column("cohort_id", OPTIONAL_COUNT, "the cohort its link was for", optional=True, at_least=1),
        Column("bank_version", TEXT, "version of the questions", optional=True),
        Column("group", TEXT, "voice, condition, ... ; missing unless the source knows it", optional=True),
    ),
)

TURNS = Table(
    "turns",
    "what one side said without giving the floor away",
    ("session_id", "turn_index"),
    (
        _session_id(),
        Column("turn_index", COUNT, "place in the viva, from 0", at_least=0),
        Column("speaker", KIND, "who spoke", allowed=("candidate", "examiner")),
        Column("kind", KIND, "what the examiner's turn ended with (question, probe, feedback, ...)", optional=True),
        _item_index("question it belongs to; missing before the first and in free conversation", optional=True),
        _seconds("start_s", "its first sound"),
        _seconds("end_s", "its last sound; equals the start of a typed turn"),
        Column("text", TEXT, "verbatim: what was recognised or typed; of an examiner's turn what was heard of it"),
        Column("text_corrected", TEXT, "what was really said, where somebody corrected it", optional=True),
        Column("text_planned", TEXT, "all of an examiner's turn that was cut short", optional=True),
        Column("interrupted", FLAG, "whether the examiner's turn was cut short by the candidate"),
        Column("typed", FLAG, "whether it was typed"),
        Column("confidence", REAL, "how sure the recogniser was", "0 to 1", True, at_least=0.0, at_most=1.0),
    ),
)

WORDS = Table(
    "words",
    "one recognised word",
    ("session_id", "turn_index", "word_index"),
    (
        _session_id(),
        Column("turn_index", COUNT, "its turn", at_least=0),
        Column("word_index", COUNT, "place in the turn, from 0", at_least=0),
        Column("speaker", KIND, "who said it", allowed=("candidate", "examiner")),
        Column("word", TEXT, "as recognised, with its punctuation"),
        _seconds("start_s", "where it begins"),
        _seconds("end_s", "where it ends"),
        Column("confidence", REAL, "how sure the recogniser was", "0 to 1", True, at_least=0.0, at_most=1.0),
    ),
)

ITEMS = Table(
    "items",
    "one question of a viva, answered or skipped",
    ("session_id", "item_index"),
    (
        _session_id(),
        _item_index("its place in the viva, from 1"),
        Column("question_id", TEXT, "its id in the bank"),
        Column("scenario_id", TEXT, "the case it belongs to; missing where the bank is not known", optional=True),
        Column("difficulty", OPTIONAL_COUNT, "the author's estimate", "1 easy to 5 hard", True, (), 1, 5),
        Column("cognitive_level", KIND, "revised Bloom taxonomy", optional=True, allowed=LEVELS),
        _seconds("asked_at_s", "start of the turn that asked it (its case and feedback included)", optional=True),
        _seconds("asked_until_s", "end of the last turn that asked it before the answer began", optional=True),
        _seconds("answer_start_s", "first sound of the answer", optional=True),
        _seconds("answer_end_s", "last sound of the answer, that to a probe included", optional=True),
        Column("answer", TEXT, "what was marked: before and after a probe, joined; empty when skipped"),
        Column("skipped", FLAG, "whether nothing was answered"),
        Column("typed", FLAG, "whether any of the answer was typed"),
        Column("n_probes", COUNT, "probing questions asked", at_least=0),
        Column("max_points", REAL, "most points there are for it", "points", at_least=0.0),
    ),
)

MARKS = Table(
    "marks",
    "one mark somebody gave an answer; earlier marks stay, but for those that were undone (one only made public later"
    " is not a second one)",
    ("session_id", "item_index", "mark_index"),
    (
        _session_id(),
        _item_index("the question"),
        Column("mark_index", COUNT, "place among the marks of the question, from 0, in the order given", at_least=0),
        Column("question_id", TEXT, "its id in the bank"),
        Column(
            "rater",
            TEXT,
            "who gave it: a judge, an adapter's name, or human:PSEUDONYM; of a question left without a word the viva's"
            " judge",
        ),
        Column("rater_kind", KIND, "what gave it", allowed=("judge", "human", "adapter")),
        Column(
            "rater_version",
            TEXT,
            "a judge's name with its version; no-answer 1 where nothing was said and no judge was asked",
            optional=True,
        ),
        Column("verdict", KIND, "the verdict", allowed=VERDICTS),
        Column("points", REAL, "the points", "points, 0 to 10", at_least=0.0, at_most=10.0),
        Column("confidence", REAL, "how sure the rater is", "0 to 1", True, at_least=0.0, at_most=1.0),
        Column("marked_at", MOMENT, "when it was given", "UTC"),
        Column("counts", FLAG, "whether it is the mark that counts now"),
        Column("evidence", TEXT, "JSON list: key_point_id, status (covered, contradicted, missing), quote, weight"),
    ),
)

EVENTS = Table(
    "events",
    "something that happened, in numbers and identifiers",
    ("session_id", "event_index"),
    (
        _session_id(),
        Column("event_index", COUNT, "place in the viva, from 0", at_least=0),
        _seconds("at_s", "when"),
        Column(
            "kind",
            KIND,
            "what: question (one begins), latency (of a spoken turn, by stage), barge_in (the candidate sounded while"
            " the examiner spoke), time_granted, paused, resumed, left and returned (the connection), engine_failed",
        ),
        Column(
            "detail",
            TEXT,
            "JSON object: number of the question; ms after the voice ended by stage, as in `viva.latency`; decision"
            " (confirm: interrupted, resume: went on) and settled_ms of a barge-in; seconds granted; stage that failed",
        ),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in (SESSIONS, TURNS, WORDS, ITEMS, MARKS, EVENTS)}
"""Every table by name."""
