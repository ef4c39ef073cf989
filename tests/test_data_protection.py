"""What is kept of people: retention with a dry run, research without names, who read what, the text agreed to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store_helpers import Clock, answer, mark, new_session, store_at
from workbench.exam.consent import CONSENT_TEXTS, CONSENT_VERSION, written_consent
from workbench.store.repository import Store
from workbench.store.research_export import rater_pseudonym, without_name


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = store_at(tmp_path, now=clock)
    yield store
    store.close()


def sat(store: Store, name: str = "Ada Byron") -> tuple[int, str]:
    cohort = store.create_cohort(f"of {name}", actor="eve").id
    candidate = store.add_candidate(cohort, name, actor="eve", email="ada@example.org")
    (new,) = store.create_invitations(discipline="medical", cohort_id=cohort, actor="eve")
    session_id = new_session(
        store, candidate_name=name, invitation_id=new.invitation.id, setup={"candidate": name, "mode": "exam"}
    )
    store.save_turn(session_id, "candidate", "my name is ada byron", start_s=0, end_s=1)
    store.save_turn(session_id, "examiner", "Thank you, Ada. First case.", start_s=1, end_s=2, number=1)
    answer(store, session_id, text="Ada will give aspirin")
    store.save_evaluation(session_id, 1, mark(4, quote="Ada will give"))
    store.finish_session(session_id, completed=True)
    return candidate.id, session_id


def test_the_dry_run_names_exactly_what_the_purge_then_deletes(store: Store, clock: Clock):
    candidate_id, session_id = sat(store)
    assert store.retention_due() == store.retention_due(within_days=store.settings.retention_days - 1)
    assert store.retention_due().sessions == ()
    soon = store.retention_due(within_days=store.settings.retention_days)
    assert [row.session_id for row in soon.sessions] == [session_id] and soon.candidate_ids == (candidate_id,)
    clock.now += timedelta(days=store.settings.retention_days)
    kept_candidate, kept = sat(store, "Alan Turing")
    due = store.retention_due()
    planned = store.purge_expired(dry_run=True)
    assert planned.session_ids == tuple(row.session_id for row in due.sessions) == (session_id,)
    assert store.load_session(session_id).answers
    done = store.purge_expired(dry_run=False, actor="eve")
    assert (done.session_ids, done.candidate_ids) == ((session_id,), (candidate_id,))
    assert [row[0].id for row in store.list_sessions().sessions] == [kept]
    assert store.load_candidate(kept_candidate).name == "Alan Turing"
    rest = b"".join(file.read_bytes() for file in store.settings.data_dir.glob("viva.sqlite3*"))
    assert b"Byron" not in rest.replace(b"of Ada Byron", b"") and b"Turing" in rest


def test_a_candidate_with_a_newer_link_or_viva_is_kept(store: Store, clock: Clock):
    candidate_id, _ = sat(store)
    clock.now += timedelta(days=store.settings.retention_days)
    cohort = store.load_candidate(candidate_id).cohort_id
    store.create_invitations(discipline="medical", cohort_id=cohort, actor="eve")
    assert store.retention_due().candidate_ids == ()


def test_a_purge_leaves_who_sits_a_viva_now(store: Store, clock: Clock):
    candidate_id, ended = sat(store)
    cohort = store.load_candidate(candidate_id).cohort_id
    (new,) = store.create_invitations(discipline="medical", cohort_id=cohort, candidate_ids=[candidate_id], actor="eve")
    running = new_session(store, invitation_id=new.invitation.id)
    clock.now += timedelta(days=store.settings.retention_days)
    purged = store.purge_expired(dry_run=False)
    assert (purged.session_ids, purged.candidate_ids) == ((ended,), ())
    store.finish_session(running, completed=True)
    purged = store.purge_expired(dry_run=False)
    assert (purged.session_ids, purged.candidate_ids) == ((running,), (candidate_id,))


def test_research_gets_pseudonyms_and_no_name_wherever_it_was_said(store: Store):
    _, session_id = sat(store)
    store.override_mark(session_id, 1, actor="eve@example.org", reason="Byron meant it", points=6)
    new_session(store, session_id="running", candidate_name="Grace")
    (row,) = store.research_export(actor="eve")
    text = json.dumps(row)
    assert not any(word in text.lower() for word in ("byron", "ada ", "example.org", "eve@", '"eve"'))
    pseudonym = row["session"]["pseudonym"]
    assert row["turns"][0]["text"] == f"my name is {pseudonym}"
    assert row["answers"][0]["text"] == f"{pseudonym} will give aspirin"
    judge, human = (mark["rater"] for mark in row["marks"])
    assert judge == "judge" and human == rater_pseudonym(store.research_key(), "eve@example.org")
    assert "candidate" not in row["session"]["options"]
    assert store.audit_log("all")[0].action == "research.exported"


@pytest.mark.parametrize(
    "text, name, anywhere, expected",
    [
        ("Mark Hill, I mark it", "Mark Hill", False, "P, I mark it"),
        ("i am mark", "Mark Hill", True, "i am P"),
        ("remarkable", "Mark Hill", True, "remarkable"),
        ("Jos\u00e9's heart", "Jos\u00e9", False, "P's heart"),
        ("nothing said", None, True, "nothing said"),
        ("a (b", "A (B", True, "a P"),
    ],
)
def test_a_name_goes_and_words_that_look_like_it_stay(text: str, name: str | None, anywhere: bool, expected: str):
    assert without_name(text, name, "P", anywhere=anywhere) == expected


def test_every_read_of_a_session_is_in_the_access_log(store: Store):
    _, session_id = sat(store)
    store.note_access("eve", session_id, "detail")
    entry = store.audit_log(session_id)[0]
    assert (entry.actor, entry.action, entry.detail) == ("eve", "session.read", {"what": "detail"})


def test_the_text_a_candidate_agreed_to_can_be_shown_by_its_version():
    assert CONSENT_VERSION in CONSENT_TEXTS
    kept = written_consent(retention_days=30, record_audio=True)
    assert "30 days" in kept and "recording" in kept
    assert "recording" not in written_consent(retention_days=30, record_audio=False)
    with pytest.raises(KeyError, match="2026-11"):
        written_consent(retention_days=30, record_audio=True, version="1999-01")
