"""What is kept of a viva, and that it can be had back exactly."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.store_helpers import answer, mark, new_session, store_at
from workbench.exam.model import SaveAnswer
from workbench.settings import Settings
from workbench.store.errors import SessionNotFound, StoreError
from workbench.store.repository import Store
from workbench.store.rows import WordRow

HOSTILE = [
    "'; DROP TABLE answers; --",
    "\x00",
    "a\x00b",
    "\ud800 lone surrogate",
    "<script>alert(1)</script>",
    "%s %(x)s :name ? {0}",
    "\u202e right to left \u2066",
    "𝔄🫀" * 200,
    "\r\n\t\x0b\x1b[2J",
    "",
    " ",
    "x" * 200_000,
    '{"a": "\\u0000"}',
]


@pytest.fixture
def store(tmp_path: Path):
    store = store_at(tmp_path)
    yield store
    store.close()


def test_a_session_comes_back_as_it_was_made(store: Store):
    made = store.create_session(
        discipline="medical",
        mode="exam",
        seed=2**53 - 1,
        area="cardiology",
        candidate_name="Ada Byron",
        consented=True,
        consent_version="2026-01",
        record=True,
        setup={"extra_time": 1.25, "patience": "patient"},
        state='{"phase": "new"}',
        judge="keyword-1",
        adapter="base",
    )
    data = store.load_session(made.id)
    assert data.session == made
    assert (made.status, made.seed, made.setup["extra_time"], made.record) == ("running", 2**53 - 1, 1.25, True)
    assert made.consent_at == made.started_at
    assert made.retention_until - made.started_at == timedelta(days=180)
    assert (data.state, data.state_revision) == ('{"phase": "new"}', 1)
    assert (data.turns, data.answers, data.marks, data.result, data.recording) == ((), (), (), None, None)


def test_a_pseudonym_is_not_made_of_the_name_and_differs_between_sessions(store: Store):
    rows = [store.create_session(discipline="law", mode="practice", seed=1, candidate_name="Ada") for _ in range(50)]
    assert len({row.pseudonym for row in rows}) == 50
    assert all(re.fullmatch("c-[2-9b-z]{8}", row.pseudonym) for row in rows)


def test_a_stable_key_links_sessions_by_pseudonym_and_is_not_itself_kept(store: Store, tmp_path: Path):
    keys = ["student-4711", "student-4711", "student-4712"]
    rows = [store.create_session(discipline="law", mode="practice", seed=1, candidate_key=key) for key in keys]
    assert rows[0].pseudonym == rows[1].pseudonym != rows[2].pseudonym
    store.close()
    assert b"student-4711" not in (tmp_path / "viva.sqlite3").read_bytes()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_unharmed(store: Store, text: str):
    session_id = new_session(store, candidate_name=text, setup={"note": text})
    answer(store, session_id, text=text)
    store.save_turn(session_id, "candidate", text, start_s=0, end_s=1, words=[WordRow(text, 0, 1, 0.5)])
    store.save_evaluation(session_id, 1, mark(quote=text))
    store.save_state(session_id, json.dumps({"said": text}))
    data = store.load_session(session_id)
    # NUL and lone surrogates are in no database's text; they alone are replaced
    kept = re.sub("[\x00\ud800-\udfff]", "\ufffd", text)
    assert data.answers[0].text == data.turns[0].text == data.turns[0].words[0].text == kept
    assert data.session.candidate_name == kept
    assert data.session.setup == {"note": text}
    assert data.marks[0].evaluation.evidence[0].quote == text
    assert json.loads(data.state or "") == {"said": text}


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=300))
def test_any_storable_text_comes_back_letter_for_letter(store: Store, text: str):
    session_id = new_session(store)
    answer(store, session_id, text=text)
    assert store.load_session(session_id).answers[0].text == text


def test_turns_keep_their_order_their_words_and_what_was_heard(store: Store):
    session_id = new_session(store)
    store.save_turn(
        session_id, "examiner", "What is the next test?", start_s=0.0, end_s=2.0, heard_text="What is the",
        interrupted=True, number=1, kind="question",
    )  # fmt: skip
    words = [WordRow("a", 2.0, 2.1, 0.9), WordRow("troponin", 2.1, 2.6, 0.8)]
    store.save_turn(
        session_id, "candidate", "a troponin", start_s=2.0, end_s=2.6, number=1, confidence=0.85, words=words
    )
    first, second = store.load_session(session_id).turns
    assert (first.position, first.heard_text, first.interrupted, first.kind) == (0, "What is the", True, "question")
    assert (second.position, second.words, second.confidence) == (1, tuple(words), 0.85)


def test_saving_the_same_answer_twice_keeps_one_and_a_changed_one_keeps_both(store: Store):
    session_id = new_session(store)
    first = answer(store, session_id, text="aspirin")
    assert answer(store, session_id, text="aspirin") == first
    answer(store, session_id, text="aspirin and heparin")
    answer(store, session_id, text="aspirin", probe=True)
    assert [row.text for row in store.load_session(session_id).answers] == ["aspirin", "aspirin and heparin", "aspirin"]


def test_an_answer_its_mark_and_the_state_are_saved_together_or_not_at_all(store: Store):
    session_id = new_session(store)
    saved = SaveAnswer("q1", 1, "aspirin", typed=False, probe=False)
    assert store.commit_turn(session_id, "one", at_s=4.0, answers=[saved], marks=[(1, mark(8.0), True)]) == 1
    another = SaveAnswer("q2", 2, "heparin", typed=False, probe=False)
    with pytest.raises(StoreError, match="0 to 10 points, got 11"):
        store.commit_turn(session_id, "two", at_s=9.0, answers=[another], marks=[(2, mark(11.0), True)])
    data = store.load_session(session_id)
    assert (data.state, data.state_revision) == ("one", 1)
    assert [row.text for row in data.answers] == ["aspirin"]
    assert [row.evaluation for row in data.marks] == [mark(8.0)]


def test_finishing_sums_the_marks_that_count(store: Store):
    session_id = new_session(store)
    for number, points in enumerate((10.0, 5.5, 0.0), start=1):
        store.save_evaluation(session_id, number, mark(points, f"q{number}"))
    store.save_evaluation(session_id, 3, mark(3.0, "q3"))
    result = store.finish_session(session_id, completed=True, wording={"used": 9, "fallback": 3})
    assert (result.score, result.max_score) == (18.5, 120.0)
    assert (result.n_correct, result.n_partial, result.n_incorrect) == (1, 2, 0)
    row = store.load_session(session_id).session
    assert (row.status, row.wording) == ("finished", {"used": 9, "fallback": 3})


def test_an_educators_correction_counts_and_the_judges_mark_stays_in_the_history(store: Store):
    session_id = new_session(store)
    store.save_evaluation(session_id, 1, mark(2.0))
    store.finish_session(session_id, completed=True)
    corrected = store.correct_mark(session_id, 1, mark(9.0), rater="dr.rao")
    assert corrected is not None and corrected.score == 9.0
    data = store.load_session(session_id)
    assert [(row.rater, row.evaluation.points) for row in data.marks] == [("judge", 2.0), ("dr.rao", 9.0)]
    assert data.marks_that_count[1].rater == "dr.rao"
    (entry,) = store.audit_log(session_id)
    assert (entry.actor, entry.action, entry.detail["points"]) == ("dr.rao", "mark.corrected", 9.0)


def test_a_correction_needs_a_name(store: Store):
    with pytest.raises(StoreError, match="name of who made it"):
        store.correct_mark(new_session(store), 1, mark(9.0), rater="judge")


def test_an_abandoned_session_can_be_taken_up_again_and_a_finished_one_cannot(store: Store):
    session_id = new_session(store)
    assert store.mark_abandoned(session_id).status == "abandoned"
    row = store.reopen(session_id)
    assert (row.status, row.ended_at) == ("running", None)
    store.finish_session(session_id, completed=False)
    assert store.mark_abandoned(session_id).status == "stopped"
    with pytest.raises(StoreError, match="is stopped: it can be read, not resumed"):
        store.reopen(session_id)


def test_sessions_a_killed_server_left_running_are_abandoned_when_it_starts_again(store: Store):
    left, done = new_session(store), new_session(store)
    store.finish_session(done, completed=True)
    assert store.abandon_running() == 1
    assert store.load_session(left).session.status == "abandoned"
    assert store.load_session(done).session.status == "finished"
    assert store.reopen(left).status == "running"


def test_only_the_owner_may_read_the_database(store: Store, tmp_path: Path):
    new_session(store)
    files = list(tmp_path.glob("viva.sqlite3*"))
    assert len(files) == 3
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_events_hold_numbers_and_identifiers_but_no_sentence(store: Store):
    session_id = new_session(store)
    store.append_event(session_id, "barge_in", 3.5, {"decision": "clear", "said": "I think it is", "ms": 41.5})
    (event,) = store.events(session_id)
    assert (event.type, event.at_s) == ("barge_in", 3.5)
    assert event.data == {"decision": "clear", "said": {"n_chars": 13}, "ms": 41.5}


def test_a_value_that_is_no_json_number_does_not_lose_the_event(store: Store):
    session_id = new_session(store)
    store.append_event(session_id, "level", 0.0, {"db": float("-inf"), "nested": [{"x": float("nan")}]})
    assert store.events(session_id)[0].data == {"db": None, "nested": [{"x": None}]}


def test_lists_are_paged_newest_first_and_filtered(tmp_path: Path):
    clock = iter(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(10_000))
    store = store_at(tmp_path, now=lambda: next(clock))
    ids = [new_session(store, discipline="law" if number % 3 == 0 else "medical") for number in range(7)]
    store.finish_session(ids[6], completed=True)
    assert [row.id for row, _ in store.list_sessions(limit=3).sessions] == ids[:3:-1]
    page = store.list_sessions(limit=3, offset=6)
    assert ([row.id for row, _ in page.sessions], page.total) == ([ids[0]], 7)
    assert {row.id for row, _ in store.list_sessions(discipline="law").sessions} == {ids[0], ids[3], ids[6]}
    ((finished, result),) = store.list_sessions(status="finished").sessions
    assert finished.id == ids[6] and result is not None and result.completed
    since = store.load_session(ids[4]).session.started_at
    assert store.list_sessions(since=since).total == 3
    store.close()


@pytest.mark.parametrize("limit, offset", [(0, 0), (501, 0), (10, -1)])
def test_a_page_out_of_range_is_refused(store: Store, limit: int, offset: int):
    with pytest.raises(StoreError, match="allowed are 1 to 500"):
        store.list_sessions(limit=limit, offset=offset)


def test_an_unknown_session_is_named_in_the_error(store: Store):
    for call in (
        lambda: store.load_session("sess_none"),
        lambda: answer(store, "sess_none"),
        lambda: store.save_state("sess_none", "{}"),
        lambda: store.delete_session("sess_none"),
        lambda: store.append_event("sess_none", "x", 0.0),
    ):
        with pytest.raises(SessionNotFound, match="no session 'sess_none'"):
            call()


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "a b", "", "x" * 65, "a/b", "ü"])
def test_an_id_that_could_name_a_file_elsewhere_is_refused(store: Store, session_id: str):
    with pytest.raises(StoreError, match="letters, digits"):
        new_session(store, session_id=session_id)


def test_deleting_removes_every_row_and_file_and_leaves_only_that_it_was_done(store: Store, tmp_path: Path):
    session_id, other = new_session(store, candidate_name="Zarathustra"), new_session(store)
    for target in (session_id, other):
        answer(store, target, text="pericardiocentesis with a quaintword")
        store.save_turn(target, "candidate", "said", start_s=0, end_s=1, words=[WordRow("said", 0, 1, 1)])
        store.save_evaluation(target, 1, mark())
        store.append_event(target, "began", 0.0)
    store.finish_session(session_id, completed=True)
    folder = store.recordings_dir
    folder.mkdir(parents=True)
    for name in (f"{session_id}.flac", f"{session_id}.wav", f"{session_id}.flac.part", f"{other}.flac"):
        (folder / name).write_bytes(b"sound")
    assert store.delete_session(session_id, actor="dr.rao") == 3
    assert [path.name for path in folder.iterdir()] == [f"{other}.flac"]
    with pytest.raises(SessionNotFound):
        store.load_session(session_id)
    assert len(store.load_session(other).answers) == 1
    with sqlite3.connect(tmp_path / "viva.sqlite3") as raw:
        counts = {
            table: raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("sessions", "users", "answers", "turns", "words", "evaluations", "events", "results")
        }
    raw.close()
    assert counts == {
        "sessions": 1, "users": 1, "answers": 1, "turns": 1, "words": 1, "evaluations": 1, "events": 1, "results": 0
    }  # fmt: skip
    (entry,) = store.audit_log(session_id)
    assert (entry.actor, entry.action, entry.detail) == (
        "dr.rao",
        "session.deleted",
        {"n_recordings": 3, "n_answers": 1},
    )


def test_what_was_deleted_is_in_no_byte_of_the_database_files(store: Store, tmp_path: Path):
    session_id = new_session(store, candidate_name="Zarathustra")
    for number in range(1, 13):
        answer(store, session_id, number, text="quaintword " * 300)
    store.save_state(session_id, '{"said": "quaintword"}')

    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("viva.sqlite3*"))

    assert b"quaintword" in files() and b"Zarathustra" in files()
    store.finish_session(session_id, completed=False)
    store.delete_session(session_id)
    assert b"quaintword" not in files() and b"Zarathustra" not in files()


def test_purging_takes_what_is_past_its_date_and_a_dry_run_takes_nothing(tmp_path: Path):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    store = store_at(tmp_path, now=lambda: now[0])
    old = new_session(store)
    store.finish_session(old, completed=True)
    now[0] += timedelta(days=100)
    young = new_session(store)
    now[0] += timedelta(days=80)
    assert store.purge_expired(dry_run=True).session_ids == (old,)
    assert store.list_sessions().total == 2
    assert store.purge_expired(dry_run=False).session_ids == (old,)
    assert [row.id for row, _ in store.list_sessions().sessions] == [young]
    store.close()


def test_the_same_bank_is_published_once_and_comes_with_its_session(store: Store):
    first = store.publish_bank("medical", "1", "areas: []")
    assert store.publish_bank("medical", "1", "areas: []") == first
    second = store.publish_bank("medical", "2", "areas: [x]")
    assert second != first
    assert store.load_session(new_session(store, bank_id=second)).bank == "areas: [x]"


def test_configuration_is_kept_for_every_process_and_audited(store: Store, tmp_path: Path):
    store.set_configuration("banner", {"text": "Exam week"}, actor="dr.rao")
    store.set_configuration("banner", ["changed"], actor="dr.rao")
    other = store_at(tmp_path)
    assert other.get_configuration("banner") == ["changed"]
    assert other.get_configuration("absent", 5) == 5
    assert [entry.action for entry in other.audit_log("banner")] == ["configuration.set"] * 2
    other.close()


def test_eight_threads_of_two_stores_lose_nothing(tmp_path: Path):
    stores = [store_at(tmp_path), store_at(tmp_path)]
    ids = [new_session(stores[0]) for _ in range(8)]
    failures: list[BaseException] = []

    def sit(place: int) -> None:
        store = stores[place % 2]
        try:
            for number in range(1, 13):
                saved = SaveAnswer(f"q{number}", number, f"answer {number}", typed=False, probe=False)
                store.commit_turn(
                    ids[place], f"state {number}", at_s=number, answers=[saved], marks=[(number, mark(5.0), False)]
                )
                store.save_turn(ids[place], "candidate", f"turn {number}", start_s=number, end_s=number + 1)
                store.append_event(ids[place], "turn", number, {"n": number})
                store.load_session(ids[place])
            store.finish_session(ids[place], completed=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=sit, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for session_id in ids:
        data = stores[0].load_session(session_id)
        assert [row.number for row in data.answers] == list(range(1, 13))
        assert [row.position for row in data.turns] == list(range(12))
        assert (data.state, data.state_revision) == ("state 12", 12)
        assert data.result is not None and data.result.score == 60.0
    for store in stores:
        store.close()


def test_an_error_of_the_database_says_nothing_of_what_was_said(store: Store):
    session_id = new_session(store)
    with pytest.raises(StoreError) as caught:
        answer(store, session_id, number=0, text="my secret answer")
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url, message",
    [
        ("mysql://u:hunter2@h/db", "names a 'mysql' database; allowed: sqlite, postgresql"),
        ("not a url hunter2", "no database URL"),
        ("postgresql://u:hunter2@127.0.0.1:9/db", "does not answer"),
    ],
)
def test_a_bad_database_url_is_explained_without_its_password(tmp_path: Path, url: str, message: str):
    with pytest.raises(StoreError, match=message) as caught:
        store_at(tmp_path, url=url)
    assert "hunter2" not in str(caught.value)


def test_a_directory_that_cannot_be_written_is_explained(tmp_path: Path):
    (tmp_path / "viva.sqlite3").mkdir()
    with pytest.raises(StoreError, match="does not answer"):
        store_at(tmp_path)


def test_recordings_lie_where_the_settings_say(tmp_path: Path):
    elsewhere = tmp_path / "sound"
    for url in (str(elsewhere), f"file://{elsewhere}"):
        settings = Settings(_env_file=None, data_dir=tmp_path, recordings_url=url)  # type: ignore[call-arg]
        assert Store(settings).recording_path("s1") == elsewhere / "s1.wav"
    with pytest.raises(StoreError, match="a directory or a file:// URL"):
        Store(Settings(_env_file=None, data_dir=tmp_path, recordings_url="s3://bucket"))  # type: ignore[call-arg]
