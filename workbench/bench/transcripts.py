"""How long the researcher's tables of many vivas take to load and summarise, and how much memory.

Synthetic vivas go into an SQLite store of their own; each size is then loaded by a process that does nothing else, so
that its peak memory is the tables' own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from workbench.exam.bank import load_banks
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.database import WRITE, open_engine
from workbench.store.repository import Store
from workbench.store.tables import Answers, Evaluations, Results, Sessions, Turns, Users, Words

WORDS_PER_TURN = 17
"""Twelve answers of 17 words: some 200 words a viva."""

AT_ONCE = 250
"""Vivas that are made; further ones are their copies under other ids, by the database itself."""


def measure(
    settings: Settings, sessions: Sequence[int], *, seed: int = 0, on_size: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Loads and summarises stores of several sizes.

    Args:
        settings: Nothing of them but that they exist; the stores are made in a temporary directory.
        sessions: Numbers of vivas.
        seed: Seed of what is said.
        on_size: Called after each size.

    Returns:
        `sizes`: for each number its rows by table, seconds by table (`load_s`), seconds to summarise, and the peak
        resident memory of the process; the same again from Parquet files.
    """
    sizes = []
    for n in sessions:
        with tempfile.TemporaryDirectory(prefix="viva-bench-") as folder:
            started_s = time.perf_counter()
            url = fill(Path(folder), n, seed)
            made_s = time.perf_counter() - started_s
            store = _in_a_process(url, Path(folder) / "tables")
            tables = _in_a_process(str(Path(folder) / "tables"), None)
        sizes.append({"sessions": n, "made_s": round(made_s, 2), "store": store, "parquet": tables})
        on_size()
    return {"sizes": sizes}


def fill(folder: Path, n: int, seed: int) -> str:
    """Makes a store with `n` vivas of twelve questions, 26 turns and some 200 recognised words; returns its URL."""
    random = Random(seed)
    bank = load_banks(None)["medical"]
    questions = bank.area("cardiology").questions
    vocabulary = sorted({word for question in questions for word in question.model_answer.split()})
    store = Store(Settings(data_dir=folder, database_url=None))
    bank_id = store.publish_bank(bank.discipline, bank.version, bank_snapshot.to_text(bank))
    url = f"sqlite:///{folder / 'viva.sqlite3'}"
    engine = open_engine(url)
    epoch = datetime(2026, 1, 1, tzinfo=UTC)
    turn_id = 0
    n_made = min(n, AT_ONCE)
    try:
        rows: dict[Any, list[dict[str, Any]]] = {
            table: [] for table in (Users, Sessions, Turns, Words, Answers, Evaluations, Results)
        }
        for number in range(n_made):
            turn_id = _viva(rows, number, turn_id, bank_id, epoch, questions, vocabulary, random)
        with engine.connect().execution_options(**WRITE) as connection, connection.begin():
            for table, values in rows.items():
                connection.execute(insert(table), values)
        for first in range(n_made, n, n_made):
            with engine.connect().execution_options(**WRITE) as connection, connection.begin():
                _copy(connection, min(n_made, n - first), first, turn_id // n_made, turn_id * (first // n_made))
    finally:
        engine.dispose()
        store.close()
    return url


def _copy(connection: Connection, n: int, by_sessions: int, turns_each: int, by_turns: int) -> None:
    """Copies the first `n` vivas under ids that many higher."""
    session_id = f"printf('sess_%06d', CAST(substr({{}}, 6) AS INTEGER) + {by_sessions})"
    of_session = {"session_id": session_id.format("session_id")}
    ended = f"session_id < 'sess_{n:06d}'"
    copied: tuple[tuple[Any, dict[str, str], str], ...] = (
        (Users, {"id": f"id + {by_sessions}", "pseudonym": f"printf('c-%08d', id - 1 + {by_sessions})"}, f"id <= {n}"),
        (Sessions, {"id": session_id.format("id"), "user_id": f"user_id + {by_sessions}"}, f"user_id <= {n}"),
        (Turns, {"id": f"id + {by_turns}", **of_session}, f"id <= {n * turns_each}"),
        (Words, {"id": "NULL", "turn_id": f"turn_id + {by_turns}"}, f"turn_id <= {n * turns_each}"),
        (Answers, {"id": "NULL", **of_session}, ended),
        (Evaluations, {"id": "NULL", **of_session}, ended),
        (Results, of_session, ended),
    )
    for table, changed, which in copied:
        names = [column.name for column in table.__table__.columns]
        values = ", ".join(changed.get(name, name) for name in names)
        name = table.__tablename__
        connection.exec_driver_sql(f"INSERT INTO {name} ({', '.join(names)}) SELECT {values} FROM {name} WHERE {which}")


def _viva(
    rows: dict[Any, list[dict[str, Any]]],
    number: int,
    turn_id: int,
    bank_id: int,
    epoch: datetime,
    questions: Sequence[Any],
    vocabulary: list[str],
    random: Random,
) -> int:
    """Adds the rows of one viva and returns the last turn's id."""
    session_id, began = f"sess_{number:06d}", epoch + timedelta(minutes=number)
    rows[Users].append(
        {"id": number + 1, "pseudonym": f"c-{number:08d}", "role": "candidate", "key_hash": None, "created_at": began}
    )
    name = random.choice(("Ada Byron", "Alan Turing", "Grace Hopper"))
    rows[Sessions].append(
        {
            "id": session_id, "user_id": number + 1, "bank_id": bank_id, "discipline": "medical", "area": "cardiology",
            "mode": "exam", "seed": number, "candidate_name": name, "consented": True, "consent_version": None,
            "consent_at": began, "record": True, "setup": {"extra_time": 1.0, "patience": "default"}, "state": None,
            "state_revision": 0, "status": "finished", "started_at": began, "ended_at": began + timedelta(minutes=8),
            "retention_until": began + timedelta(days=180), "judge": "hybrid-1", "adapter": None, "wording": {},
        }
    )  # fmt: skip
    at_s, position, total = 0.0, 0, 0.0

    def turn(role: str, text: str, item: int | None, kind: str | None) -> tuple[int, float]:
        nonlocal at_s, position, turn_id
        start_s, at_s = at_s + 0.7, at_s + 0.7 + 0.35 * len(text.split())
        turn_id += 1
        rows[Turns].append(
            {
                "id": turn_id, "session_id": session_id, "position": position, "number": item, "role": role,
                "kind": kind, "text": text, "heard_text": text, "corrected_text": None, "interrupted": False,
                "typed": False, "confidence": 0.9, "start_s": start_s, "end_s": at_s,
            }
        )  # fmt: skip
        position += 1
        return turn_id, start_s

    turn("examiner", "Hello, and welcome. What is your name?", None, "ask_name")
    turn("candidate", f"My name is {name}.", None, None)
    for item, question in enumerate(questions, start=1):
        turn("examiner", question.stem, item, "question")
        said = random.choices(vocabulary, k=WORDS_PER_TURN)
        of_turn, start_s = turn("candidate", " ".join(said), item, None)
        rows[Words] += [
            {
                "turn_id": of_turn, "position": place, "text": word, "start_s": start_s + 0.35 * place,
                "end_s": start_s + 0.35 * place + 0.3, "probability": 0.9,
            }
            for place, word in enumerate(said)
        ]  # fmt: skip
        points = random.choice((0.0, 2.5, 5.0, 7.5, 10.0))
        total += points
        verdict = "correct" if points > 6 else "partial" if points > 3 else "incorrect"
        rows[Answers].append(
            {
                "session_id": session_id, "number": item, "question_id": question.id, "text": " ".join(said),
                "typed": False, "probe": False, "skipped": False, "at_s": at_s, "created_at": began,
            }
        )  # fmt: skip
        evidence = [
            {"key_point_id": point.id, "status": "missing", "quote": "", "weight": point.weight}
            for point in question.key_points
        ]
        rows[Evaluations].append(
            {
                "session_id": session_id, "number": item, "question_id": question.id, "verdict": verdict,
                "points": points, "confidence": 0.8, "judge": "hybrid-1", "rater": "judge", "public": True,
                "evidence": evidence, "created_at": began, "reason": None, "restores_id": None,
            }
        )  # fmt: skip
    rows[Results].append(
        {
            "session_id": session_id, "completed": True, "score": total, "max_score": 120.0, "n_correct": 0,
            "n_partial": 0, "n_incorrect": 0, "created_at": began,
        }
    )  # fmt: skip
    return turn_id


def _in_a_process(source: str, write_to: Path | None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "workbench.bench.transcripts", source, *([str(write_to)] if write_to else [])],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _load(source: str, write_to: str | None) -> dict[str, Any]:
    """What one process measures: every table of a source, then the summary, then (untimed memory) Parquet files."""
    from workbench.transcripts import load, summary, to_parquet
    from workbench.transcripts.columns import TABLES

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_s = time.perf_counter()
    cpu_s = time.process_time()
    transcripts = load(source)
    seconds, rows = {}, {}
    for name in TABLES:
        at_s = time.perf_counter()
        rows[name] = len(transcripts.table(name))
        seconds[name] = round(time.perf_counter() - at_s, 3)
    at_s = time.perf_counter()
    found = summary(transcripts)
    summarise_s = time.perf_counter() - at_s
    result = {
        "rows": rows,
        "load_s": seconds,
        "summarise_s": round(summarise_s, 3),
        "total_s": round(time.perf_counter() - started_s, 3),
        "cpu_s": round(time.process_time() - cpu_s, 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "before_gib": round(before / 2**20, 3),
        "mean_score": round(float(found["score"].mean()), 3),
    }
    if write_to is not None:
        at_s = time.perf_counter()
        to_parquet(transcripts, write_to)
        result["write_parquet_s"] = round(time.perf_counter() - at_s, 3)
    return result


if __name__ == "__main__":
    print(json.dumps(_load(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)))
