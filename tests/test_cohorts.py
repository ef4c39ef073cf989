"""Candidates and cohorts: lists as they come from registries and learning management systems, and their deletion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store_helpers import answer, new_session, store_at
from workbench.store.candidate_csv import TEMPLATE, read_candidates
from workbench.store.errors import NotFound, SessionNotFound, StoreError
from workbench.store.repository import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


@pytest.fixture
def cohort(store: Store) -> int:
    return store.create_cohort("Year 3", actor="eve").id


def test_the_template_is_a_list_that_fits():
    found = read_candidates(TEMPLATE)
    assert [row.name for row in found.candidates] == ["Ada Byron", "Alan Turing"]
    assert (found.candidates[1].extra_time, found.candidates[1].slower_voice) == (1.5, True)
    assert found.problems == () and found.ignored == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffFirst name;Surname;ID number;Email address\r\nAda;Byron;s1;ADA@example.org\r\n",
        'Student\tE-mail\tSIS User ID\n"Ada\tByron"\tada@example.org\ts1\n'.replace('"Ada\tByron"', "Ada Byron"),
        "\n\nname,email,id\n\n Ada   Byron ,ada@example.org,s1\n",
    ],
)
def test_lists_of_other_programs_are_read_by_their_headings(text: str):
    (row,) = read_candidates(text).candidates
    assert (row.name, row.email, row.external_id) == ("Ada Byron", "ada@example.org", "s1")


@pytest.mark.parametrize(
    "row, said",
    [
        (",x@example.org,s1,,,,", "name is empty"),
        ("Ada,nowhere,s1,,,,", "no address"),
        ("Ada,,s1,3x,,,", "extra_time '3x'"),
        ("Ada,,s1,0.5,,,", "1 to 4"),
        ("Ada,,s1,,perhaps,,", "typed_answers 'perhaps'"),
        ("A" * 81 + ",,s1,,,,", "at most 80"),
        ("Eve,,s0,,,,", "line 2 already"),
    ],
)
def test_a_row_that_does_not_fit_is_listed_with_its_line_and_the_others_are_taken(row: str, said: str):
    heading = "name,email,external_id,extra_time,typed_answers,captions,slower_voice"
    found = read_candidates(f"{heading}\nGood,,s0,,,,\n{row}\nToo,,s9,,,,\n")
    assert [good.name for good in found.candidates] == ["Good", "Too"]
    (problem,) = found.problems
    assert problem.line == 3 and said in problem.reason


@pytest.mark.parametrize("text", ["", "\n \n", "email\nada@example.org\n"])
def test_a_text_without_a_name_column_says_what_the_first_line_looks_like(text: str):
    with pytest.raises(StoreError, match="name,email,external_id"):
        read_candidates(text)


def test_a_preview_saves_nothing_and_tells_what_importing_then_does(store: Store, cohort: int):
    text = "name,id,extra_time\nAda,s1,\nAlan,s2,1.5\n,s3,\n"
    preview = store.import_candidates(cohort, text, actor="eve")
    assert preview.added == ("Ada", "Alan") and not preview.saved and store.list_candidates(cohort) == ()
    done = store.import_candidates(cohort, text, actor="eve", dry_run=False)
    assert (done.added, len(done.problems), done.saved) == (("Ada", "Alan"), 1, True)
    again = store.import_candidates(cohort, "name,id,extra_time\nAda,s1,2\nAlan,s2,1.5\n", actor="eve", dry_run=False)
    assert (again.added, again.updated, again.unchanged) == ((), ("Ada",), ("Alan",))
    assert [row.extra_time for row in store.list_candidates(cohort)] == [2.0, 1.5]


def test_an_address_of_somebody_else_in_the_cohort_is_a_problem_and_not_a_mix_up(store: Store, cohort: int):
    store.add_candidate(cohort, "Ada", actor="eve", external_id="s1", email="ada@example.org")
    done = store.import_candidates(cohort, "name,id,email\nAlan,s2,ada@example.org\n", actor="eve", dry_run=False)
    assert done.added == () and "another candidate" in done.problems[0].reason
    with pytest.raises(StoreError, match="another candidate"):
        store.add_candidate(cohort, "Alan", actor="eve", email="ada@example.org")


def test_changing_a_candidate_holds_to_the_same_rules(store: Store, cohort: int):
    ada = store.add_candidate(cohort, "Ada, Countess", actor="eve")
    changed = store.update_candidate(ada.id, actor="eve", extra_time=1.25, captions=False)
    assert (changed.name, changed.extra_time, changed.captions) == ("Ada, Countess", 1.25, False)
    with pytest.raises(StoreError, match="1 to 4"):
        store.update_candidate(ada.id, actor="eve", extra_time=9)
    with pytest.raises(StoreError, match="cannot change id"):
        store.update_candidate(ada.id, actor="eve", id=7)


def sat(store: Store, cohort: int, name: str) -> tuple[int, str]:
    candidate = store.add_candidate(cohort, name, actor="eve")
    (new,) = store.create_invitations(discipline="medical", cohort_id=cohort, candidate_ids=[candidate.id], actor="eve")
    session_id = new_session(store, candidate_name=name, invitation_id=new.invitation.id)
    answer(store, session_id, text="said by " + name)
    store.finish_session(session_id, completed=True)
    return candidate.id, session_id


def test_deleting_a_candidate_takes_links_and_vivas_and_leaves_the_others(store: Store, cohort: int):
    (ada, hers), (_, his) = sat(store, cohort, "Ada"), sat(store, cohort, "Alan")
    assert store.delete_candidate(ada, actor="eve") == 1
    with pytest.raises(SessionNotFound):
        store.load_session(hers)
    assert store.load_session(his).answers
    assert [row.candidate_name for row in store.list_invitations(cohort_id=cohort)] == ["Alan"]
    rest = b"".join(file.read_bytes() for file in store.settings.data_dir.glob("viva.sqlite3*"))
    assert b"said by Ada" not in rest and b"said by Alan" in rest
    assert store.audit_log(f"candidate:{ada}")[0].action == "candidate.deleted"


def test_deleting_a_cohort_keeps_its_vivas_under_pseudonyms_unless_told_otherwise(store: Store, cohort: int):
    _, session_id = sat(store, cohort, "Ada")
    store.delete_cohort(cohort, actor="eve")
    assert store.load_session(session_id).session.pseudonym.startswith("c-")
    sitting = store.sitting(session_id)
    assert sitting is not None and (sitting.cohort_id, sitting.candidate_id) == (None, None)
    second = store.create_cohort("Year 4", actor="eve").id
    assert second != cohort
    _, session_id = sat(store, second, "Alan")
    assert store.delete_cohort(second, actor="eve", with_sessions=True) == 1
    with pytest.raises(SessionNotFound):
        store.load_session(session_id)


def test_nobody_is_deleted_in_the_middle_of_a_viva(store: Store, cohort: int):
    ada, ended = sat(store, cohort, "Ada")
    (again,) = store.create_invitations(discipline="medical", cohort_id=cohort, candidate_ids=[ada], actor="eve")
    running = new_session(store, invitation_id=again.invitation.id)
    for delete in (
        lambda: store.delete_candidate(ada, actor="eve"),
        lambda: store.delete_cohort(cohort, actor="eve", with_sessions=True),
        lambda: store.delete_session(running, actor="eve"),
    ):
        with pytest.raises(StoreError, match=f"{running} is still running; delete it when it has ended"):
            delete()
    assert store.load_session(ended).answers and store.load_candidate(ada).name == "Ada"
    store.mark_abandoned(running)
    assert store.delete_candidate(ada, actor="eve") == 2


def test_what_is_not_there_is_named(store: Store):
    for call in (store.load_cohort, store.list_candidates, store.cohort_sessions, store.item_statistics):
        with pytest.raises(NotFound, match="cohort 99|cohort '99'"):
            call(99)
