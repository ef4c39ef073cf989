"""A viva from a link, over the socket: held as the link says, counted once, and silent about its results."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_bank import BANK
from tests.test_server import Running, running
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.rows_educators import NewInvitation

ELSEWHERE = {"additional_headers": {"X-Forwarded-For": "203.0.113.9"}}


def link(server: Running, **options: Any) -> NewInvitation:
    store = server.server.services.store
    cohort = store.create_cohort("Year 3", actor="eve").id
    store.add_candidate(cohort, "Grace Hopper", actor="eve", extra_time=2, slower_voice=True)
    given: dict[str, Any] = {"discipline": "medical", "area": "respiratory", "cohort_id": cohort, **options}
    return store.create_invitations(actor="eve", **given)[0]


def ticket_of(server: Running, new: NewInvitation) -> str:
    services = server.server.services
    return services.tickets.mint_ticket(services.store.open_invitation(new.token).grants)


@pytest.mark.parametrize("where", [{}, ELSEWHERE])
async def test_the_holder_gets_what_the_link_says_whatever_they_ask_for(settings: Settings, where: Any) -> None:
    async with running(settings) as server:
        new = link(server)
        ticket = ticket_of(server, new)
        async with server.client(**where) as client:
            wishes = {"mode": "practice", "area": "cardiology", "extra_time": 4, "speaking_rate": 1.5, "seed": 1}
            await client.start(ticket=ticket, candidate="Eve", **wishes)
            asked = (await client.until("session.updated"))["session"]["viva"]
            state = await client.until("viva.state")
            session_id = state["session_id"]
        assert (asked["mode"], asked["area"], asked["candidate"]) == ("exam", "respiratory", "Grace Hopper")
        assert asked["extra_time"] == 2 and asked["speaking_rate"] < 1
        assert (state["mode"], state["area"], state["candidate"]) == ("exam", "respiratory", "Grace Hopper")
        store = server.server.services.store
        sitting = store.sitting(session_id)
        assert sitting is not None and (sitting.invitation_id, sitting.attempt) == (new.invitation.id, 1)
        assert store.load_invitation(new.invitation.id).attempts_used == 1
        kept = store.load_session(session_id).session
        assert (kept.mode, kept.setup["extra_time"]) == ("exam", 2)


async def test_a_second_viva_with_a_used_link_is_refused_before_it_starts(settings: Settings) -> None:
    async with running(settings) as server:
        new = link(server)
        first, second = ticket_of(server, new), ticket_of(server, new)
        async with server.client(**ELSEWHERE) as client:
            await client.start(ticket=first)
            await client.until("viva.state")
        async with server.client(**ELSEWHERE) as client:
            await client.start(ticket=second)
            error = await client.error()
        assert error["code"] == "invitation_used" and "used already" in error["message"]
        assert server.server.services.store.list_sessions().total == 1


async def test_a_links_ticket_opens_once_on_this_machine_too(settings: Settings) -> None:
    async with running(settings) as server:
        ticket = ticket_of(server, link(server, attempts=5))
        async with server.client() as client:
            await client.start(ticket=ticket)
            await client.until("viva.state")
        async with server.client() as client:
            await client.start(ticket=ticket)
            assert (await client.error())["code"] == "invalid_ticket"


async def test_coming_back_to_a_viva_counts_no_further_attempt(settings: Settings) -> None:
    async with running(settings) as server:
        new = link(server)
        async with server.client(**ELSEWHERE) as client:
            await client.start(ticket=ticket_of(server, new))
            token = (await client.until("viva.state"))["resume_token"]
        async with server.client(**ELSEWHERE) as client:
            await client.start(resume=token)
            assert (await client.until("viva.state"))["area"] == "respiratory"
        assert server.server.services.store.load_invitation(new.invitation.id).attempts_used == 1


async def test_the_area_of_a_link_is_not_the_candidates_to_change(settings: Settings) -> None:
    async with running(settings) as server:
        new = link(server)
        async with server.client() as client:
            await client.start(ticket=ticket_of(server, new), consent=False)
            token = (await client.until("viva.state"))["resume_token"]
            await client.send(type="viva.area", area="cardiology")
            assert (await client.error())["code"] == "area_fixed"
        async with server.client() as client:
            await client.start(resume=token)
            await client.until("viva.state")
            await client.send(type="viva.area", area="cardiology")
            assert (await client.error())["code"] == "area_fixed"


async def test_a_link_with_pinned_questions_asks_those(settings: Settings) -> None:
    async with running(settings) as server:
        store = server.server.services.store
        text = bank_snapshot.to_text(BANK).replace("What is step", "Which is step")
        new = link(server, bank_id=store.publish_bank("medical", "0.9", text))
        async with server.client() as client:
            await client.start(ticket=ticket_of(server, new))
            question = await client.until("viva.question")
        assert question["stem"].startswith("Which is step")


async def _to_the_end(client: Any) -> dict[str, Any]:
    for command in ("stop", "confirm"):
        await client.until("viva.state", lambda event: event["floor"] == "candidate")
        await client.send(type="viva.command", command=command)
    found: dict[str, Any] = await client.until("viva.report")
    return found


@pytest.mark.parametrize("shown", [False, True])
async def test_the_end_of_an_exam_tells_the_marks_only_where_the_link_shows_them(
    settings: Settings, shown: bool
) -> None:
    async with running(settings) as server:
        new = link(server, show_results=shown)
        async with server.client() as client:
            await client.start(ticket=ticket_of(server, new))
            await client.until("viva.question")
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Give aspirin"}]}
            await client.until("viva.state", lambda event: event["floor"] == "candidate")
            await client.send(type="conversation.item.create", item=item)
            await client.send(type="response.create")
            await client.until("viva.question", lambda event: event["number"] == 2)
            report = await _to_the_end(client)
            verdicts = [event for event in client.events if event["type"] == "viva.verdict"]
            said = " ".join(
                event["transcript"] for event in client.events if "transcript" in event and "output" in event["type"]
            )
        result = server.server.services.store.load_session(report["session_id"]).result
        assert result is not None and result.score > 0
        assert report["held"] is not shown and bool(verdicts) is shown
        assert report["score"] == (result.score if shown else 0)
        assert ("points" in said) is shown
