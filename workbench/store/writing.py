"""The inserts of a running viva, each on a connection whose transaction the caller holds."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from workbench.exam.model import Evaluation
from workbench.store.columns import storable
from workbench.store.errors import SessionNotFound, StoreError
from workbench.store.reading import evidence_as_json
from workbench.store.rows import WordLike
from workbench.store.tables import Answers, Evaluations, Events, QuestionBanks, Sessions, Turns, Users, Words

# no vowels and nothing that reads like something else: pseudonyms spell no words and survive being read out
_PSEUDONYM_LETTERS = "23456789bcdfghjkmnpqrstvwxz"
_IDENTIFIER = re.compile(r"[\w.:/+@-]{0,64}", re.ASCII)


def require_session(connection: Connection, session_id: str) -> None:
    """Raises `SessionNotFound` unless the session exists."""
    if connection.execute(select(Sessions.id).where(Sessions.id == session_id)).first() is None:
        raise SessionNotFound(session_id)


def candidate_user(connection: Connection, key: str | None, now: datetime) -> int:
    """The user row of a candidate: the same for the same stable key, a fresh one without a key.

    The key itself (a login, a student number) is not kept, only its hash.
    """
    key_hash = None if key is None else hashlib.sha256(storable(key).encode()).hexdigest()
    if key_hash is not None:
        known = connection.execute(select(Users.id).where(Users.key_hash == key_hash)).scalar()
        if known is not None:
            return known
    pseudonym = "c-" + "".join(secrets.choice(_PSEUDONYM_LETTERS) for _ in range(8))
    return connection.execute(
        insert(Users)
        .values(pseudonym=pseudonym, role="candidate", key_hash=key_hash, created_at=now)
        .returning(Users.id)
    ).scalar_one()


def publish_bank(connection: Connection, discipline: str, version: str, content: str, now: datetime) -> int:
    """Keeps a question bank as it is now; the same content again gives the same id."""
    content_hash = hashlib.sha256(storable(content).encode()).hexdigest()
    known = connection.execute(select(QuestionBanks.id).where(QuestionBanks.content_hash == content_hash)).scalar()
    if known is not None:
        return known
    return connection.execute(
        insert(QuestionBanks)
        .values(discipline=discipline, version=version, content_hash=content_hash, content=content, published_at=now)
        .returning(QuestionBanks.id)
    ).scalar_one()


def add_answer(connection: Connection, session_id: str, now: datetime, **answer: Any) -> int:
    """Adds an answer; the same one again (a retry after a lost reply) adds nothing."""
    last = connection.execute(
        select(Answers.id, Answers.text, Answers.typed, Answers.skipped, Answers.question_id)
        .where(
            Answers.session_id == session_id,
            Answers.number == answer["number"],
            Answers.probe == answer["probe"],
        )
        .order_by(Answers.id.desc())
        .limit(1)
    ).one_or_none()
    same = ("typed", "skipped", "question_id")
    if (
        last is not None
        and last.text == storable(answer["text"])
        and all(getattr(last, name) == answer[name] for name in same)
    ):
        return last.id
    return connection.execute(
        insert(Answers).values(session_id=session_id, created_at=now, **answer).returning(Answers.id)
    ).scalar_one()


def add_turn(connection: Connection, session_id: str, words: Sequence[WordLike], **turn: Any) -> int:
    """Adds a turn after the last one, with its words."""
    position = connection.execute(
        select(func.coalesce(func.max(Turns.position) + 1, 0)).where(Turns.session_id == session_id)
    ).scalar_one()
    turn_id = connection.execute(
        insert(Turns).values(session_id=session_id, position=position, **turn).returning(Turns.id)
    ).scalar_one()
    add_words(connection, turn_id, words)
    return turn_id


def add_words(connection: Connection, turn_id: int, words: Sequence[WordLike]) -> None:
    """Adds the words of a turn."""
    if not words:
        return
    connection.execute(
        insert(Words),
        [
            {
                "turn_id": turn_id,
                "position": place,
                "text": word.text,
                "start_s": float(word.start_s),
                "end_s": float(word.end_s),
                "probability": float(word.probability),
            }
            for place, word in enumerate(words)
        ],
    )


def add_evaluation(
    connection: Connection,
    session_id: str,
    number: int,
    evaluation: Evaluation,
    *,
    rater: str,
    public: bool,
    now: datetime,
    reason: str | None = None,
    restores_id: int | None = None,
) -> int:
    """Adds a mark; it counts from now on, the ones before it stay as history."""
    if not (math.isfinite(evaluation.points) and 0 <= evaluation.points <= 10):
        raise StoreError(f"a mark has 0 to 10 points, got {evaluation.points}")
    return connection.execute(
        insert(Evaluations)
        .values(
            session_id=session_id,
            number=number,
            question_id=evaluation.question_id,
            verdict=evaluation.verdict,
            points=float(evaluation.points),
            confidence=float(evaluation.confidence),
            judge=evaluation.judge,
            rater=rater,
            public=public,
            evidence=evidence_as_json(evaluation),
            created_at=now,
            reason=reason,
            restores_id=restores_id,
        )
        .returning(Evaluations.id)
    ).scalar_one()


def set_state(connection: Connection, session_id: str, state: str) -> int:
    """Replaces the exam's snapshot and returns its new revision."""
    changed = connection.execute(
        update(Sessions)
        .where(Sessions.id == session_id)
        .values(state=state, state_revision=Sessions.state_revision + 1)
    )
    if changed.rowcount != 1:
        raise SessionNotFound(session_id)
    return connection.execute(select(Sessions.state_revision).where(Sessions.id == session_id)).scalar_one()


def add_event(
    connection: Connection, session_id: str, kind: str, at_s: float, data: Mapping[str, Any], now: datetime
) -> None:
    """Adds an event without any sentence in it."""
    connection.execute(
        insert(Events).values(
            session_id=session_id, type=kind, at_s=float(at_s), data=without_words(dict(data)), created_at=now
        )
    )


def without_words(value: Any) -> Any:
    """The value with every string that is no identifier replaced by its length, so that no speech gets into events.

    >>> without_words({"kind": "probe", "said": "the left ventricle", "ms": 41.5})
    {'kind': 'probe', 'said': {'n_chars': 18}, 'ms': 41.5}
    """
    if isinstance(value, Mapping):
        return {str(key)[:64]: without_words(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [without_words(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    text = str(value)
    return text if _IDENTIFIER.fullmatch(text) else {"n_chars": len(text)}
