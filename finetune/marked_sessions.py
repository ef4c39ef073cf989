"""Answers of vivas that were held, with the marks educators gave them: overrides, and marks they confirmed.

A mark that is only the judge's teaches a judge what it thinks already, so that it is left out; as are vivas whose
candidate gave no consent. Names are replaced by pseudonyms wherever they were said, as in the research export.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from finetune.corpora import Left, Record
from workbench.exam.items import Question, Scenario
from workbench.store.bank_snapshot import from_text
from workbench.store.errors import SessionNotFound
from workbench.store.marking import JUDGE
from workbench.store.research_export import without_name
from workbench.store.rows import SessionData

if TYPE_CHECKING:
    from workbench.store.repository import Store

SOURCE = "sessions"
ACTOR = "viva-finetune"


def marked_sessions(store: Store) -> tuple[list[Record], list[Left]]:
    """Every answer that an educator marked, in ended vivas, and those left out with the reason.

    What was read is noted in the audit log.

    Args:
        store: Where the vivas are.
    """
    records: list[Record] = []
    left_out: list[Left] = []
    session_ids = store.ended_sessions()
    store.note(ACTOR, "training.prepared", "all", n_sessions=len(session_ids))
    for session_id in session_ids:
        try:
            data = store.load_session(session_id)
        except SessionNotFound:
            continue  # deleted meanwhile
        for record, reason in _records(data):
            if reason:
                left_out.append(Left(record, reason))
            else:
                records.append(record)
    return records, left_out


def _records(data: SessionData) -> Iterator[tuple[Record, str]]:
    session = data.session
    asked = _questions(data.bank)
    last = {mark.number: mark for mark in data.marks}
    for number, mark in sorted(last.items()):
        said = [answer.text.strip() for answer in data.answers if answer.number == number and not answer.skipped]
        answer = without_name(
            " ".join(text for text in said if text), session.candidate_name, session.pseudonym, anywhere=False
        )
        question_id = mark.evaluation.question_id
        found = asked.get(question_id)
        scenario, question = found if found else (None, None)
        record = Record(
            f"{SOURCE}:{session.id}:{number}",
            f"banks:{question_id}",
            f"{scenario.text} {question.stem}".strip() if scenario and question else "",
            (question.model_answer,) if question else (),
            answer,
            mark.evaluation.verdict,
            mark.evaluation.points,
            SOURCE,
            "train",
            session.pseudonym,
            tuple((point.text, point.weight) for point in question.key_points) if question else (),
        )
        if not session.consented:
            yield record, "its candidate gave no consent"
        elif mark.rater == JUDGE:
            yield record, "no educator marked it or confirmed the judge's mark"
        elif question is None:
            yield record, "its question bank was not kept"
        elif not answer:
            yield record, "nothing was answered"
        else:
            yield record, ""


def _questions(bank: str | None) -> dict[str, tuple[Scenario, Question]]:
    if bank is None:
        return {}
    return {question.id: (scenario, question) for _, scenario, question in from_text(bank).questions()}
