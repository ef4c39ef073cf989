"""The researcher's tables: what they hold, that names are gone, and that every source gives the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.store_helpers import answer, mark, new_session, store_at
from tests.test_migrations import postgres_url  # noqa: F401  (a server of its own)
from tests.transcript_helpers import HOSTILE, assert_same, full_store
from workbench.statistics.raters import paired_marks
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.transcripts import TranscriptError, Transcripts, load
from workbench.transcripts.columns import KIND, LEVELS, TABLES
from workbench.transcripts.schema import check, coerced, empty


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    store = full_store(folder)
    yield store
    store.close()


@pytest.fixture(scope="module")
def loaded(store: Store) -> Transcripts:
    return load(store)


def row(frame: pd.DataFrame, **wanted: object) -> pd.Series:
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def test_ended_vivas_are_rows_oldest_first_and_running_ones_only_when_asked_for(store: Store, loaded: Transcripts):
    assert list(loaded.sessions.session_id) == ["sess_spoken", "sess_typed", "sess_talk", "sess_left"]
    assert "sess_running" in set(load(store, running=True).sessions.session_id)


def test_a_session_has_its_score_its_length_and_its_accommodations(loaded: Transcripts):
    spoken = row(loaded.sessions, session_id="sess_spoken")
    assert (spoken.score, spoken.max_score, spoken.n_items, spoken.completed) == (8.0, 120.0, 2, True)
    assert (spoken.duration_s, spoken.extra_time, spoken.patience, spoken.typed) == (25.0, 1.25, "patient", False)
    assert spoken.recorded and str(spoken.started_at) == "2026-01-01 00:00:00+00:00"
    typed = row(loaded.sessions, session_id="sess_typed")
    assert typed.typed and not typed.completed and typed.status == "stopped"
    left = row(loaded.sessions, session_id="sess_left")
    assert left.duration_s == 90.0 and pd.isna(left.score) and left.n_items == 0


def test_an_interrupted_turn_is_what_was_heard_of_it(loaded: Transcripts):
    cut = row(loaded.turns, session_id="sess_spoken", turn_index=8)
    assert (cut.text, cut.text_planned, cut.interrupted) == ("Next: why?", "Next: why? And how?", True)
    assert loaded.turns.text_planned.notna().sum() == 1


def test_an_answer_is_timed_without_the_request_before_it(loaded: Transcripts):
    first = row(loaded.items, session_id="sess_spoken", item_index=1)
    assert (first.asked_at_s, first.asked_until_s, first.answer_start_s, first.answer_end_s) == (6.0, 12.0, 13.5, 18.0)
    assert (first.n_probes, first.skipped) == (1, False) and first.answer.endswith("aspirin um and heparin")
    second = row(loaded.items, session_id="sess_spoken", item_index=2)
    assert second.answer_start_s - second.asked_until_s == -0.25  # talked over
    assert second.answer == HOSTILE
    skipped = row(loaded.items, session_id="sess_typed", item_index=2)
    assert skipped.skipped and skipped.answer == "" and pd.isna(skipped.answer_start_s)


def test_an_item_knows_its_case_and_its_difficulty_where_the_bank_is_kept(loaded: Transcripts):
    first = row(loaded.items, session_id="sess_spoken", item_index=1)
    assert first.scenario_id and 1 <= first.difficulty <= 5 and first.cognitive_level in LEVELS
    assert loaded.items[loaded.items.session_id == "sess_typed"].scenario_id.isna().all()


def test_every_mark_stays_and_the_last_counts(loaded: Transcripts):
    marks = loaded.marks[(loaded.marks.session_id == "sess_spoken") & (loaded.marks.item_index == 1)]
    assert list(marks.rater_kind) == ["judge", "human"] and list(marks.counts) == [False, True]
    assert list(marks.points) == [5.5, 8.0] and marks.rater.iloc[0] == "hybrid"
    assert marks.rater_version.iloc[0] == "hybrid-1" and marks.rater.iloc[1].startswith("human:")
    assert json.loads(marks.evidence.iloc[0])[0]["status"] == "covered"
    adapter = row(loaded.marks, session_id="sess_typed")
    assert (adapter.rater, adapter.rater_kind) == ("models:/viva-examiner/3", "adapter")


def test_a_mark_that_was_undone_is_nobodys_mark_from_store_and_from_export(tmp_path: Path):
    store, path = store_at(tmp_path), tmp_path / "vivas.jsonl"
    session_id = new_session(store)
    for number in (1, 2):
        answer(store, session_id, number)
        for _ in range(2):  # as it was given, and once more when the exam ended
            store.save_evaluation(session_id, number, mark(5.0, f"q{number}"))
    store.finish_session(session_id, completed=True)
    given = [("ann", 9.0), ("bob", 3.0), ("ann", 7.0)]
    for actor, points in given:
        store.override_mark(session_id, 1, actor=actor, reason="heard it again", points=points)
    store.undo_override(session_id, 1, actor="bob")
    store.undo_override(session_id, 1, actor="bob")
    store.override_mark(session_id, 2, actor="ann", reason="heard it again", points=2.0)
    store.undo_override(session_id, 2, actor="ann")
    path.write_text("".join(json.dumps(one) + "\n" for one in store.research_export(actor="eve")))
    for source in (store, path):
        marks = load(source).marks
        assert list(marks.item_index) == [1, 1, 2] and list(marks.points) == [5.0, 9.0, 5.0]
        assert list(marks.counts) == [False, True, True] and list(marks.mark_index) == [0, 1, 0]
        by_human = paired_marks(marks)["points"].drop(columns="keyword")
        assert by_human.stack().dropna().tolist() == [9.0]
    store.close()


def test_a_first_mark_that_was_taken_back_leaves_no_mark_from_store_and_from_export(tmp_path: Path):
    store, path = store_at(tmp_path), tmp_path / "vivas.jsonl"
    session_id = new_session(store)
    for number in (1, 2):
        answer(store, session_id, number)
    store.save_evaluation(session_id, 2, mark(5.0, "q2"))
    store.finish_session(session_id, completed=True)
    for points in (9.0, 3.0):
        store.override_mark(session_id, 1, actor="ann", reason="the judge was down", points=points)
        store.undo_override(session_id, 1, actor="ann")
    path.write_text("".join(json.dumps(one) + "\n" for one in store.research_export(actor="eve")))
    for source in (store, path):
        assert list(load(source).marks.item_index) == [2]
    store.close()


def test_a_question_left_without_a_word_has_its_points_from_the_vivas_judge(tmp_path: Path):
    store = store_at(tmp_path)
    for name, judges in {
        "sess_weak": ("hybrid-1", "no-answer 1"),
        "sess_silent": ("no-answer 1", "no-answer 1"),
        "sess_other": ("models:/viva-examiner/3", "no-answer 1"),
        "sess_able": ("hybrid-1", "hybrid-1"),
    }.items():
        session_id = new_session(store, session_id=name)
        for number, judge in enumerate(judges, 1):
            points = 0.0 if judge.startswith("no-answer") else 8.0
            store.save_evaluation(session_id, number, replace(mark(points, f"q{number}"), judge=judge))
        store.finish_session(session_id, completed=True)
    marks = load(store).marks
    of_viva = {name: set(own.rater) for name, own in marks.groupby("session_id")}
    assert of_viva == {
        "sess_weak": {"hybrid"}, "sess_silent": {"hybrid"}, "sess_able": {"hybrid"},
        "sess_other": {"models:/viva-examiner/3"},
    }  # fmt: skip
    assert set(marks.rater_version[marks.points == 0]) == {"no-answer 1"}
    assert set(marks.rater_kind[marks.session_id == "sess_other"]) == {"adapter"}
    wide = paired_marks(marks)["points"]
    assert wide.loc["sess_weak", "hybrid"].tolist() == [8.0, 0.0]
    store.close()


def test_no_table_holds_a_name_or_a_login(loaded: Transcripts):
    for name in TABLES:
        text = loaded.table(name).to_csv().lower()
        assert not any(word in text for word in ("byron", "ada ", "ada,", "eve@", "example.org", "will grace")), name
    pseudonym = row(loaded.sessions, session_id="sess_spoken").candidate_id
    assert row(loaded.turns, session_id="sess_spoken", turn_index=1).text == f"my name is {pseudonym}"
    said = loaded.words[(loaded.words.session_id == "sess_spoken") & (loaded.words.turn_index == 1)]
    assert list(said.word) == ["my", "name", "is", pseudonym, pseudonym]


def test_words_lie_in_their_turns_and_are_counted_from_nought(loaded: Transcripts):
    joined = loaded.words.merge(loaded.turns, on=["session_id", "turn_index"], suffixes=("", "_turn"))
    assert len(joined) == len(loaded.words) > 20
    assert (joined.start_s >= joined.start_s_turn).all() and (joined.end_s <= joined.end_s_turn).all()
    assert (loaded.words.groupby(["session_id", "turn_index"]).word_index.min() == 0).all()


def test_events_come_with_their_detail_as_json(loaded: Transcripts):
    assert list(loaded.events.kind) == ["began", "barge_in"] and json.loads(loaded.events.detail[0]) == {"ms": 12.5}


def test_the_researchers_export_gives_the_same_tables_as_the_store(store: Store, loaded: Transcripts, tmp_path: Path):
    path = tmp_path / "vivas.jsonl"
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in store.research_export(actor="eve")))
    exported = load(path)
    assert_same(loaded, exported, "sessions", "turns", "words", "marks", "events")
    # an export whose bank was not kept leaves cases out as the store does
    assert_same(loaded, exported, "items")
    assert_same(loaded, load(tmp_path))


def test_postgresql_gives_the_same_tables(request: pytest.FixtureRequest, loaded: Transcripts, tmp_path: Path):
    store = full_store(tmp_path, url=request.getfixturevalue("postgres_url"))
    found = load(store)
    # pseudonyms are drawn anew for every store
    pseudonymous = ["candidate_id", "text", "word", "answer", "rater", "evidence"]
    for name in TABLES:
        one, other = (t.table(name).drop(columns=pseudonymous, errors="ignore") for t in (loaded, found))
        pd.testing.assert_frame_equal(one, other, check_exact=True, obj=name)
    assert len(load(store, running=True).sessions) == 5 and HOSTILE in set(found.turns.text)
    store.close()


def test_a_store_is_found_by_its_url_its_file_and_its_folder(loaded: Transcripts, folder: Path, monkeypatch):
    for source in (f"sqlite:///{folder}/viva.sqlite3", folder / "viva.sqlite3", folder):
        assert list(load(source).sessions.session_id) == list(loaded.sessions.session_id)
    monkeypatch.setenv("VIVA_DATABASE_URL", f"sqlite:///{folder}/viva.sqlite3")
    assert len(load().sessions) == 4


@pytest.mark.parametrize("given", ["nowhere", "sqlite:////nowhere/at/all.sqlite3"])
def test_a_source_that_is_not_there_is_said_and_not_made(given: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TranscriptError, match="there is no.*allowed: the store"):
        load(given)
    assert not list(tmp_path.iterdir())


def test_other_files_and_empty_folders_are_refused_with_what_is_allowed(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("hello")
    for source in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(TranscriptError, match="allowed: "):
            load(source)
    with pytest.raises(StoreError, match="allowed: sqlite, postgresql"):
        load("mysql://u:hunter2@h/db")
    with pytest.raises(TranscriptError, match="filter an export"):
        load(tmp_path / "notes.txt", cohort_id=3)


def test_a_broken_export_names_file_and_line_and_nothing_that_was_said(tmp_path: Path):
    path = tmp_path / "vivas.jsonl"
    path.write_text('{"session": {"id": "s"}, "secret": "troponin"}\n')
    with pytest.raises(TranscriptError, match=r"vivas.jsonl, line 1: no exported viva \(answers, events") as caught:
        _ = load(path).sessions
    assert "troponin" not in str(caught.value)
    path.write_text('{"session": ')
    with pytest.raises(TranscriptError, match="no JSON"):
        _ = load(path).sessions


def test_a_table_is_read_when_it_is_asked_for_and_only_once(loaded: Transcripts):
    read: list[str] = []

    def reading(name: str) -> pd.DataFrame:
        read.append(name)
        return loaded.table(name)

    lazy = Transcripts(reading, about="a test")
    assert read == []
    assert lazy.marks is lazy.marks and read == ["marks"]
    lazy.release()
    assert lazy.marks is not None and read == ["marks", "marks"]


def test_a_few_vivas_can_be_taken_out(loaded: Transcripts):
    few = loaded.only(["sess_typed"])
    assert [len(few.table(name)) for name in TABLES] == [1, 2, 0, 2, 1, 0]


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_has_every_column_with_its_type(name: str):
    made = check(empty(name), name)
    assert list(made.columns) == list(TABLES[name].names) and len(made) == 0
    for column in TABLES[name].columns:
        assert column.dtype == KIND or str(made[column.name].dtype) in (column.dtype, "string")


def test_a_store_without_vivas_gives_empty_tables(tmp_path: Path):
    from tests.store_helpers import store_at

    nothing = load(store_at(tmp_path))
    assert [len(nothing.table(name)) for name in TABLES] == [0] * 6


def test_a_frame_that_breaks_its_promise_is_refused_by_column_and_row_without_its_text(loaded: Transcripts):
    wrong = loaded.marks.copy()
    wrong.loc[1, "points"] = 11.0
    with pytest.raises(TranscriptError, match=r"table marks: points: less_than_or_equal_to\(10.0\) in row 1"):
        check(wrong, "marks")
    twice = pd.concat([loaded.turns, loaded.turns.tail(1)], ignore_index=True)
    with pytest.raises(TranscriptError) as caught:
        check(twice, "turns")
    assert "aspirin" not in str(caught.value) and "Hello" not in str(caught.value)
    with pytest.raises(TranscriptError, match="no column verdict"):
        coerced(loaded.marks.drop(columns="verdict"), "marks")
    with pytest.raises(TranscriptError, match="column speaker.*'nurse'.*candidate, examiner"):
        coerced(loaded.turns.assign(speaker="nurse"), "turns")
    with pytest.raises(TranscriptError, match="no table 'mark'; there are sessions"):
        Transcripts.of({"mark": loaded.marks})


def test_without_the_extra_the_message_names_it():
    code = (
        "import sys; sys.modules['pandera'] = None\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'pandera' else real(name, *a)\n"
        "import workbench.transcripts"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "the research bench needs pandera: `pip install 'viva-workbench[research]'`" in done.stderr
