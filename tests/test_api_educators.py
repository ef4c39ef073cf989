"""The educators' side of the HTTP API: accounts, cohorts, links, overrides, publishing, research, retention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tests.small_bank import BANK, evaluation
from tests.store_helpers import new_session, store_at
from workbench.api import build_api
from workbench.realtime.tickets import Tickets
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.repository import Store

PASSWORD = "correct horse battery"
EVE, ROOT = ("eve", PASSWORD), ("root", "of the settings")
QUESTION = BANK.areas[0].questions[0].id


class Api:
    """The API as it is called from elsewhere."""

    def __init__(self, store: Store, **settings: Any) -> None:
        config = Settings(**{"_env_file": None, "data_dir": store.settings.data_dir, "username": "root", **settings})
        self.tickets = Tickets("key")
        routes = build_api(
            store, {"medical": BANK}, config, self.tickets.open_report, verify_reader_token=self.tickets.open_reader
        )
        self.transport = httpx.ASGITransport(app=Starlette(routes=routes), client=("203.0.113.9", 5000))

    async def __call__(self, method: str, path: str, expect: int = 200, auth: Any = EVE, **options: Any) -> Any:
        async with httpx.AsyncClient(transport=self.transport, base_url="https://viva.example") as client:
            answer = await client.request(method, path, auth=auth, **options)
        assert answer.status_code == expect, (answer.status_code, answer.text)
        return answer.json() if answer.headers.get("content-type") == "application/json" else answer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    store.create_educator("eve", PASSWORD)
    yield store
    store.close()


@pytest.fixture
def api(store: Store) -> Api:
    return Api(store, password="of the settings")


def sit(store: Store, token: str) -> str:
    """A viva of one question, as the socket would leave it."""
    opened = store.open_invitation(token)
    session_id = store.create_session(
        discipline="medical",
        area="cardiology",
        mode="exam",
        seed=1,
        candidate_name=opened.grants.get("candidate"),
        bank_id=store.publish_bank("medical", BANK.version, bank_snapshot.to_text(BANK)),
        invitation_id=opened.grants["invitation"],
    ).id
    store.save_answer(session_id, 1, QUESTION, "an ecg", typed=True, probe=False, skipped=False, at_s=1.0)
    store.save_evaluation(session_id, 1, evaluation(QUESTION, "partial"))
    store.finish_session(session_id, completed=True)
    return session_id


async def test_a_first_mark_that_is_taken_back_leaves_none(api: Api, store: Store):
    bank_id = store.publish_bank("medical", BANK.version, bank_snapshot.to_text(BANK))
    session_id = store.create_session(discipline="medical", area="cardiology", mode="exam", seed=1, bank_id=bank_id).id
    store.save_answer(session_id, 1, QUESTION, "an ecg", typed=True, probe=False, skipped=False, at_s=1.0)
    store.finish_session(session_id, completed=True)
    override = {"verdict": "correct", "points": 8.5, "reason": "the judge was down"}
    path = f"/api/sessions/{session_id}/marks/1"
    assert (await api("PUT", path, json=override))["result"]["score"] == 8.5
    undone = await api("DELETE", path)
    assert undone["mark"] is None and (undone["result"]["score"], undone["result"]["n_correct"]) == (0, 0)
    (question,) = (await api("GET", f"/api/sessions/{session_id}/report.json"))["scenarios"][0]["questions"]
    assert question["verdict"] is None and question["points"] is None


async def test_a_cohort_from_list_to_published_results(api: Api, store: Store):
    cohort = (await api("POST", "/api/cohorts", 201, json={"name": "Year 3"}))["id"]
    text = "name,email,id,extra time\nAda Byron,ada@example.org,s1,1.5\n,,,\nAlan,nowhere,s2,\n"
    where = f"/api/cohorts/{cohort}/candidates.csv"
    csv = {"content": text, "headers": {"Content-Type": "text/csv"}}
    preview = await api("POST", where, **csv)
    assert (preview["added"], preview["saved"], preview["problems"][0]["line"]) == (["Ada Byron"], False, 4)
    assert await api("GET", f"/api/cohorts/{cohort}/candidates") == []
    assert (await api("POST", where, params={"dry_run": "false"}, **csv))["saved"] is True

    wanted = {"discipline": "medical", "area": "cardiology", "cohort_id": cohort}
    (made,) = await api("POST", "/api/invitations", 201, json=wanted)
    assert made["path"] == f"?invite={made['token']}" and made["invitation"]["created_by"] == "eve"
    assert made["token"] not in json.dumps(await api("GET", "/api/invitations"))
    session_id = sit(store, made["token"])

    report = f"/api/sessions/{session_id}/report.json"
    own = {"token": api.tickets.mint_report(session_id)}
    held = await api("GET", report, 403, auth=None, params=own)
    assert "not been published yet" in held["detail"]
    page = await api("GET", f"/api/sessions/{session_id}/report", 403, auth=None, params=own)
    assert page.headers["content-type"].startswith("text/html") and "<h1>Not published yet</h1>" in page.text
    assert "Ada Byron" in json.dumps(await api("GET", report))

    (doubtful,) = await api("GET", "/api/moderation", params={"cohort": cohort})
    assert (doubtful["session_id"], doubtful["number"]) == (session_id, 1)
    override = {"verdict": "correct", "points": 8.5, "reason": "said it in the probe"}
    changed = await api("PUT", f"/api/sessions/{session_id}/marks/1", json=override)
    assert (changed["mark"]["rater"], changed["result"]["score"]) == ("eve", 8.5)
    assert await api("GET", "/api/moderation") == []
    assert (await api("DELETE", f"/api/sessions/{session_id}/marks/1"))["result"]["score"] == 4
    await api("PUT", f"/api/sessions/{session_id}/marks/1", json=override)
    assert len(await api("GET", f"/api/sessions/{session_id}/marks")) == 4

    published = await api("POST", "/api/results/publish", json={"session_ids": [session_id]})
    assert published == {"session_ids": [session_id]}
    assert (await api("GET", report, auth=None, params=own))["score"] == 8.5
    await api("POST", "/api/results/hide", json={"session_ids": [session_id]})
    await api("GET", report, 403, auth=None, params=own)

    (row,) = await api("GET", f"/api/cohorts/{cohort}/sessions")
    assert (row["candidate"]["name"], row["n_corrected"]) == ("Ada Byron", 1)
    statistics = await api("GET", f"/api/cohorts/{cohort}/statistics")
    assert statistics["items"][0]["difficulty"] == 0.85 and statistics["agreement"]["n"] == 1
    reads = [entry for entry in store.audit_log(session_id) if entry.action == "session.read"]
    assert {entry.actor for entry in reads} == {"eve"}
    assert {entry.detail["what"] for entry in reads} == {"report.json", "marks"}


async def test_a_running_viva_keeps_its_candidate_and_cohort(api: Api, store: Store):
    cohort = store.create_cohort("Year 3", actor="eve").id
    ada = store.add_candidate(cohort, "Ada Byron", actor="eve").id
    (new,) = store.create_invitations(discipline="medical", cohort_id=cohort, candidate_ids=[ada], actor="eve")
    session_id = new_session(store, invitation_id=new.invitation.id)
    for path in (f"/api/candidates/{ada}", f"/api/cohorts/{cohort}?with_sessions=true", f"/api/sessions/{session_id}"):
        assert "still running" in (await api("DELETE", path, 409))["detail"]
    assert store.load_candidate(ada).cohort_id == cohort and store.load_session(session_id)


async def test_an_educators_own_token_opens_a_session_for_their_browser_and_is_noted(api: Api, store: Store):
    (made,) = store.create_invitations(discipline="medical", actor="eve")
    session_id = sit(store, made.token)
    token = {"token": api.tickets.mint_reader(session_id, "eve")}
    await api("GET", f"/api/sessions/{session_id}/report.html", auth=None, params=token)
    assert store.audit_log(session_id)[0].detail == {"what": "report.html"}
    store.set_disabled("eve", True)
    await api("GET", f"/api/sessions/{session_id}/report.html", 403, auth=None, params=token)


async def test_links_are_made_for_what_there_is_only(api: Api):
    for wanted, said in (
        ({"discipline": "astrology"}, "medical"),
        ({"discipline": "medical", "area": "toes"}, "cardiology, respiratory"),
        ({"discipline": "medical", "attempts": 0}, "attempts"),
        ({"discipline": "medical", "opens_at": "2026-03-01T09:00:00"}, "opens_at"),
        ({"discipline": "medical", "colour": "red"}, "colour"),
    ):
        assert said in json.dumps(await api("POST", "/api/invitations", 422, json=wanted))
    assert await api("GET", "/api/invitations") == []


async def test_a_link_is_renewed_and_withdrawn(api: Api, store: Store):
    (made,) = await api("POST", "/api/invitations", 201, json={"discipline": "medical"})
    number = made["invitation"]["id"]
    new = await api("POST", f"/api/invitations/{number}/renew")
    assert new["token"] != made["token"]
    assert (await api("DELETE", f"/api/invitations/{number}"))["revoked_at"] is not None
    assert "no invitation" in (await api("DELETE", "/api/invitations/99", 404))["detail"]


@pytest.mark.parametrize(
    "body, said",
    [({"points": 5}, "reason"), ({"reason": "r", "points": 11}, "points"), ({"reason": "r", "points": 4}, "already")],
)
async def test_an_override_that_does_not_fit_is_refused_by_name(api: Api, store: Store, body: Any, said: str):
    (made,) = store.create_invitations(discipline="medical", actor="eve")
    session_id = sit(store, made.token)
    assert said in json.dumps(await api("PUT", f"/api/sessions/{session_id}/marks/1", 422, json=body))
    await api("PUT", "/api/sessions/none/marks/1", 404, json={"reason": "r", "points": 1})


async def test_administrators_manage_accounts_and_educators_do_not(api: Api, store: Store):
    new = {"login": "Bob", "password": "long enough to pass", "role": "administrator"}
    await api("POST", "/api/educators", 403, json=new)
    made = await api("POST", "/api/educators", 201, auth=ROOT, json=new)
    assert (made["login"], made["role"]) == ("bob", "administrator") and "password_hash" not in made
    bob = ("bob", "long enough to pass")
    assert [row["login"] for row in await api("GET", "/api/educators", auth=bob)] == ["bob", "eve"]
    await api("PATCH", "/api/educators/eve", auth=bob, json={"disabled": True})
    await api("GET", "/api/cohorts", 401)
    await api("PATCH", "/api/educators/nobody", 404, auth=bob, json={"disabled": True})
    assert store.audit_log("eve")[0].actor == "bob"
    short = await api("POST", "/api/educators", 422, auth=ROOT, json={"login": "x", "password": "short-pw"})
    assert "short-pw" not in json.dumps(short)


async def test_accounts_open_the_api_from_elsewhere_where_the_settings_have_no_password(store: Store):
    api = Api(store)
    assert await api("GET", "/api/cohorts") == []
    await api("GET", "/api/cohorts", 401, auth=None)
    await api("GET", "/api/cohorts", 401, auth=("root", ""))


async def test_research_and_retention_over_http(api: Api, store: Store):
    (made,) = store.create_invitations(discipline="medical", actor="eve")
    session_id = sit(store, made.token)
    lines = (await api("GET", "/api/research.jsonl")).text.splitlines()
    assert [json.loads(line)["session"]["id"] for line in lines] == [session_id]
    due = await api("GET", "/api/retention", auth=ROOT, params={"within_days": 400})
    assert [row["session_id"] for row in due["sessions"]] == [session_id]
    assert (await api("POST", "/api/retention/purge", auth=ROOT))["session_ids"] == []
    audit = await api("GET", "/api/audit", auth=ROOT, params={"subject": "all"})
    assert audit[0]["action"] == "research.exported"


async def test_the_documents_describe_every_route(api: Api):
    document = await api("GET", "/api/openapi.json", auth=None)
    paths = document["paths"]
    assert set(paths["/api/sessions/{session_id}/marks/{number}"]) == {"put", "delete"}
    for path in ("/api/invitations", "/api/cohorts/{cohort_id}/statistics", "/api/results/publish", "/api/educators"):
        for operation in paths[path].values():
            assert operation["description"], path
