"""One-time links: what opens them, what they grant, and that an attempt is counted once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.store_helpers import Clock, new_session, store_at
from workbench.realtime.protocol import VivaOptions
from workbench.store.errors import InvitationRefused, NotFound, SessionNotFound, StoreError
from workbench.store.repository import Store
from workbench.store.rows_educators import NewInvitation
from workbench.store.tables_educators import Invitations


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 1, 9, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = store_at(tmp_path, now=clock)
    yield store
    store.close()


@pytest.fixture
def cohort(store: Store) -> int:
    cohort_id = store.create_cohort("Year 3", actor="eve").id
    store.add_candidate(cohort_id, "Ada", actor="eve", extra_time=1.5, slower_voice=True)
    store.add_candidate(cohort_id, "Alan", actor="eve")
    return cohort_id


def link(store: Store, **options: object) -> NewInvitation:
    given = {"discipline": "medical", "area": "cardiology", "actor": "eve", **options}
    return store.create_invitations(**given)[0]  # type: ignore[arg-type]


def test_a_cohort_gets_a_link_each_with_the_accommodations_of_its_candidate(store: Store, cohort: int):
    made = store.create_invitations(discipline="medical", area="cardiology", cohort_id=cohort, actor="eve")
    assert [new.invitation.candidate_name for new in made] == ["Ada", "Alan"]
    opened = store.open_invitation(made[0].token)
    assert opened.cohort == "Year 3" and opened.candidate is not None and opened.attempts_left == 1
    options = VivaOptions(**{key: value for key, value in opened.grants.items() if key != "invitation"})
    assert (options.candidate, options.extra_time, options.mode) == ("Ada", 1.5, "exam")
    assert options.speaking_rate < 1 and options.area == "cardiology" and options.seed is None
    assert opened.grants["invitation"] == made[0].invitation.id


def test_a_token_is_nowhere_in_the_database(store: Store):
    new = link(store)
    with store._reading() as connection:
        assert connection.execute(select(Invitations.token_hash)).scalar_one() != new.token
    files = b"".join(file.read_bytes() for file in store.settings.data_dir.glob("viva.sqlite3*"))
    assert new.token.encode() not in files


def test_changed_accommodations_hold_for_links_that_were_sent_already(store: Store, cohort: int):
    new = store.create_invitations(discipline="medical", cohort_id=cohort, actor="eve")[1]
    store.update_candidate(new.invitation.candidate_id or 0, actor="eve", extra_time=2)
    assert store.open_invitation(new.token).grants["extra_time"] == 2


def test_a_link_refuses_before_and_after_its_window_and_says_when(store: Store, clock: Clock):
    new = link(store, opens_at=clock.now + timedelta(hours=1), closes_at=clock.now + timedelta(hours=2))
    for hours, code, said in ((0, "not_yet", "1 March 2026 at 10:00 UTC"), (2, "expired", "11:00 UTC")):
        with pytest.raises(InvitationRefused, match=said) as refused:
            store.open_invitation(new.token, clock.now + timedelta(hours=hours))
        assert refused.value.code == code
    assert store.open_invitation(new.token, clock.now + timedelta(minutes=90)).attempts_left == 1


def test_unknown_revoked_and_used_links_say_why(store: Store):
    revoked, used = link(store), link(store)
    store.revoke_invitation(revoked.invitation.id, actor="eve")
    new_session(store, invitation_id=used.invitation.id)
    for token, code in (("nonsense", "unknown"), ("", "unknown"), (revoked.token, "revoked"), (used.token, "used")):
        with pytest.raises(InvitationRefused, match="ask|Please") as refused:
            store.open_invitation(token)
        assert refused.value.code == code


def test_looking_uses_nothing_up_and_each_viva_uses_one_attempt(store: Store):
    new = link(store, attempts=2)
    for left in (2, 1):
        assert store.open_invitation(new.token).attempts_left == left
        session_id = new_session(store, invitation_id=new.invitation.id)
        sitting = store.sitting(session_id)
        assert sitting is not None and sitting.attempt == 3 - left
    with pytest.raises(InvitationRefused):
        new_session(store, invitation_id=new.invitation.id, session_id="third")
    with pytest.raises(SessionNotFound):
        store.load_session("third")


def test_two_vivas_that_start_at_once_share_no_attempt(store: Store):
    new = link(store)
    outcomes: list[str] = []

    def start(session_id: str) -> None:
        try:
            new_session(store, invitation_id=new.invitation.id, session_id=session_id)
            outcomes.append("started")
        except InvitationRefused as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=start, args=(f"s{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["started", *["used"] * 5]


def test_an_attempt_outside_the_window_is_not_counted(store: Store, clock: Clock):
    new = link(store, closes_at=clock.now + timedelta(hours=1))
    clock.now += timedelta(hours=1)
    with pytest.raises(InvitationRefused):
        new_session(store, invitation_id=new.invitation.id)
    assert store.load_invitation(new.invitation.id).attempts_used == 0


def test_a_renewed_link_has_another_token_and_the_old_one_opens_nothing(store: Store):
    old = link(store)
    new = store.renew_invitation(old.invitation.id, actor="eve")
    assert store.open_invitation(new.token).invitation.id == old.invitation.id
    with pytest.raises(InvitationRefused):
        store.open_invitation(old.token)


def test_the_vivas_of_one_candidate_share_a_pseudonym_and_those_of_an_open_link_do_not(store: Store, cohort: int):
    own = store.create_invitations(discipline="medical", cohort_id=cohort, attempts=2, actor="eve")[0]
    anyone = link(store, attempts=2)
    names = [
        store.load_session(new_session(store, invitation_id=new.invitation.id)).session.pseudonym
        for new in (own, own, anyone, anyone)
    ]
    assert names[0] == names[1] and len(set(names)) == 3


def test_a_link_keeps_the_questions_it_was_made_with(store: Store):
    bank_id = store.publish_bank("medical", "1", '{"one": 1}')
    new = link(store, bank_id=bank_id)
    store.publish_bank("medical", "2", '{"two": 2}')
    assert store.invitation_bank(new.invitation.id) == '{"one": 1}'
    assert store.invitation_bank(link(store).invitation.id) is None


@pytest.mark.parametrize(
    "options, said",
    [
        ({"attempts": 0}, "1 to 1000"),
        ({"mode": "easy"}, "practice, exam, talk"),
        ({"closes_at": datetime(2026, 2, 1, tzinfo=UTC)}, "past or before"),
        ({"bank_id": 99}, "unknown"),
        ({"candidate_ids": [1]}, "without cohort_id"),
    ],
)
def test_a_link_that_makes_no_sense_is_refused(store: Store, options: dict[str, object], said: str):
    with pytest.raises(StoreError, match=said):
        link(store, **options)
    assert store.list_invitations() == ()


def test_candidates_of_another_cohort_get_no_link(store: Store, cohort: int):
    other = store.create_cohort("Year 4", actor="eve").id
    stranger = store.add_candidate(other, "Grace", actor="eve")
    with pytest.raises(NotFound, match="candidate of this cohort"):
        store.create_invitations(discipline="medical", cohort_id=cohort, candidate_ids=[stranger.id], actor="eve")
