"""Who may reach what: every route of the served application, read from its routing table, is tried by a stranger."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from gradio.routes import App
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.scripted_engines import Vocabulary
from tests.test_conversation import make_services
from workbench.realtime import tickets
from workbench.realtime.server import RealtimeServer
from workbench.serve import educators_pages, served_routes
from workbench.settings import Settings
from workbench.store.logins import Identity, Logins
from workbench.web.educators import login as educators_login
from workbench.web.educators.login import COOKIE, MOUNT, Gate
from workbench.web.page import build_page

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/metrics"),
    ("GET", "/api/docs"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/events.json"),
    ("GET", "/viva/static/{version}/{name}"),
    ("GET", "/educators"),
    ("GET", "/educators/logout"),
}
"""Routes of ours that need no login: nothing of any viva is behind them; the last two only lead to the gate."""

GRADIO = {
    "/", "/login", "/login/", "/logout", "/config", "/config/", "/openapi.json", "/svelte/{path:path}",
    "/static/{path:path}", "/assets/{path:path}", "/favicon.ico", "/theme.css", "/robots.txt", "/pwa_icon",
    "/pwa_icon/{size}", "/manifest.json", "/monitoring", "/monitoring/summary", "/monitoring/{key}",
    "/gradio_api/deep_link", "/gradio_api/user", "/gradio_api/user/", "/gradio_api/login_check",
    "/gradio_api/login_check/", "/gradio_api/token", "/gradio_api/token/", "/gradio_api/app_id", "/gradio_api/app_id/",
    "/gradio_api/dev/reload", "/gradio_api/runs", "/gradio_api/runs/", "/gradio_api/run-history/connect",
    "/gradio_api/run-history/buckets", "/gradio_api/run-history/records",
    "/gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}", "/gradio_api/info",
    "/gradio_api/info/", "/gradio_api/openapi.json",
    "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/gradio_api/proxy={url_path:path}",
    "/gradio_api/file={path_or_url:path}", "/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
    "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file", "/gradio_api/file/{path:path}",
    "/gradio_api/reset", "/gradio_api/reset/", "/gradio_api/heartbeat/{session_hash}", "/gradio_api/api/{api_name}",
    "/gradio_api/api/{api_name}/", "/gradio_api/run/{api_name}", "/gradio_api/run/{api_name}/",
    "/gradio_api/call/v2/{api_name}", "/gradio_api/call/v2/{api_name}/", "/gradio_api/call/{api_name}",
    "/gradio_api/call/{api_name}/", "/gradio_api/queue/join", "/gradio_api/cancel",
    "/gradio_api/call/{api_name}/{event_id}", "/gradio_api/call/v2/{api_name}/{event_id}", "/gradio_api/queue/data",
    "/gradio_api/component_server", "/gradio_api/component_server/", "/gradio_api/queue/status",
    "/gradio_api/upload_progress", "/gradio_api/upload", "/gradio_api/startup-events", "/gradio_api/theme.css",
    "/gradio_api/process_recording", "/gradio_api/vibe-edit", "/gradio_api/vibe-edit/", "/gradio_api/undo-vibe-edit",
    "/gradio_api/undo-vibe-edit/", "/gradio_api/vibe-code", "/gradio_api/vibe-code/",
    "/gradio_api/vibe-starter-queries", "/gradio_api/vibe-starter-queries/",
}  # fmt: skip
"""What Gradio serves the candidate's page with; the page is open, and no handler of it reads the store."""

SESSION, OTHER = "sess_own", "sess_other"


_addresses = count(1)


class Served:
    """The whole application with a viva in its store, and a password set."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(_env_file=None, data_dir=folder, password="the right one")  # type: ignore[call-arg,arg-type]
        self.services = make_services(settings, Vocabulary())
        store = self.services.store
        for session_id in (SESSION, OTHER):
            store.create_session(discipline="medical", mode="exam", seed=1, session_id=session_id)
            store.finish_session(session_id, completed=True)
        page = build_page(settings, self.services.banks, lambda request, grants: "")
        server, logins = RealtimeServer(self.services), Logins(settings, store)
        self.pages = educators_pages(self.services, server, logins)
        routes = [*served_routes(self.services, server, logins), *self.pages.routes]
        self.app = App.create_app(page, app_kwargs={"routes": routes})

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of every HTTP route, those of applications inside the application too."""
        return sorted({found for route in self.app.routes for found in _unfolded(route)})


def _unfolded(route: BaseRoute) -> Iterator[tuple[str, str]]:
    inner = getattr(route, "original_router", None)
    if inner is not None:
        for child in inner.routes:
            yield from _unfolded(child)
    elif isinstance(route, Mount):
        for child in route.routes or ():
            for method, path in _unfolded(child):
                yield method, route.path + path
    elif isinstance(route, WebSocketRoute):
        assert route.path == "/v1/realtime", f"a socket nobody wrote a test for: {route.path}"
    elif isinstance(route, Route | APIRoute):
        inside = route.endpoint
        if isinstance(inside, FastAPI):
            for child in inside.routes:
                yield from _unfolded(child)
            return
        if isinstance(inside, Gate):
            for child in inside._app.routes:  # type: ignore[attr-defined]
                for method, path in _unfolded(child):
                    yield method, MOUNT + path
            return
        for method in sorted((route.methods or set()) - {"HEAD"} or {"GET"}):
            yield method, route.path
    else:
        raise AssertionError(f"a kind of route this test does not know: {route!r}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("served"))


def _guarded(served: Served) -> list[tuple[str, str]]:
    return [found for found in served.routes() if found not in PUBLIC and found[1] not in GRADIO]


def _address(path: str) -> str:
    values = {"session_id": SESSION, "number": "1", "login": "ada"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values.get(found[1], "1"), path)


def _body(path: str) -> dict[str, Any]:
    """What a request needs so that nothing but the login can be the reason for a refusal."""
    if path.endswith(".csv") and "cohorts" in path:
        return {"content": "name\nAda\n", "headers": {"Content-Type": "text/csv"}}
    bodies: dict[str, Any] = {
        "/api/sessions/{session_id}/marks/{number}": {"reason": "r", "points": 1},
        "/api/results/publish": {"session_ids": [SESSION]},
        "/api/results/hide": {"session_ids": [SESSION]},
        "/api/cohorts": {"name": "A"},
        "/api/cohorts/{cohort_id}/candidates": {"name": "Ada"},
        "/api/candidates/{candidate_id}": {"name": "Ada"},
        "/api/invitations": {"discipline": "medical"},
        "/api/educators": {"login": "eve", "password": "long enough to pass"},
        "/api/educators/{login}": {"disabled": True},
    }
    return {"json": bodies.get(path, {})}


def _query(path: str, **more: str) -> dict[str, str]:
    return {**({"format": "moodle"} if path.endswith("grades.csv") else {}), **more}


def _client(served: Served) -> TestClient:
    client = TestClient(
        served.app, base_url="https://viva.example", raise_server_exceptions=False, follow_redirects=False
    )
    # an address of its own: ten wrong passwords from one are answered with 429
    client.headers["X-Forwarded-For"] = f"2001:db8::{next(_addresses):x}"
    return client


def _status(answer: Any) -> int:
    """The status; the front page of the educators refuses by leading to its login form, which is a 401 here."""
    to_the_form = answer.status_code == 303 and answer.headers["location"] == "login"
    return 401 if to_the_form else int(answer.status_code)


def _tried(served: Served, cookie: str | None = None, **params: str) -> dict[str, int]:
    """Status of every guarded route for a stranger with these query parameters and this cookie of an educator."""
    client = _client(served)
    if cookie is not None:
        client.cookies.set(COOKIE, cookie)
    found = {}
    for method, path in _guarded(served):
        options = _body(path) if method in ("POST", "PUT", "PATCH") else {}
        answer = client.request(method, _address(path), params=_query(path, **params), **options)
        found[f"{method} {path}"] = _status(answer)
    return found


def test_the_routing_table_has_what_it_should_and_the_lists_above_name_nothing_that_is_gone(served: Served) -> None:
    routes = served.routes()
    assert len(_guarded(served)) >= 40
    assert PUBLIC <= set(routes)
    assert {path for path in GRADIO if path not in {found for _, found in routes}} == set()
    assert not any(path.startswith("/api") for path in GRADIO)


def test_every_route_but_the_public_ones_is_refused_without_a_login(served: Served) -> None:
    assert {name: status for name, status in _tried(served).items() if status not in (401, 403)} == {}


def test_every_route_is_refused_with_a_wrong_password_and_with_a_disabled_account(served: Served) -> None:
    store = served.services.store
    if store.find_educator("ada") is None:
        store.create_educator("ada", "a password of hers", actor="test")
        store.set_disabled("ada", True, actor="test")
    for login in (("educator", "wrong one"), ("ada", "a password of hers")):
        for method, path in _guarded(served):
            client = _client(served)
            options = _body(path) if method in ("POST", "PUT", "PATCH") else {}
            answer = client.request(method, _address(path), params=_query(path), auth=login, **options)
            assert _status(answer) == 401, (method, path, answer.status_code)


@pytest.mark.parametrize("kind", ["report", "reader", "resume", "ticket", "forged"])
def test_every_route_is_refused_with_a_token_that_is_for_something_else(served: Served, kind: str) -> None:
    mint = served.services.tickets
    token = {
        "report": lambda: mint.mint_report(OTHER),
        "reader": lambda: mint.mint_reader(OTHER, "educator"),
        "resume": lambda: mint.mint_resume(SESSION),
        "ticket": lambda: mint.mint_ticket(),
        "forged": lambda: tickets.Tickets("another key").mint_report(SESSION),
    }[kind]()
    assert {name: status for name, status in _tried(served, token=token).items() if status not in (401, 403)} == {}


def test_every_route_is_refused_with_an_expired_token(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    own, reading = (
        served.services.tickets.mint_report(SESSION),
        served.services.tickets.mint_reader(SESSION, "educator"),
    )
    assert _tried(served, token=own)["GET /api/sessions/{session_id}/report.json"] == 200
    monkeypatch.setattr(tickets, "REPORT_LIFE_S", -1)
    monkeypatch.setattr(tickets, "READER_LIFE_S", -1)
    for token in (own, reading):
        assert {name: status for name, status in _tried(served, token=token).items() if status not in (401, 403)} == {}


def test_a_candidates_own_token_opens_their_report_and_recording_and_nothing_else(served: Served) -> None:
    tried = _tried(served, token=served.services.tickets.mint_report(SESSION))
    opened = {name for name, status in tried.items() if status not in (401, 403)}
    assert opened == {
        "GET /api/sessions/{session_id}/audio",
        "GET /api/sessions/{session_id}/report",
        "GET /api/sessions/{session_id}/report.csv",
        "GET /api/sessions/{session_id}/report.html",
        "GET /api/sessions/{session_id}/report.json",
        "GET /api/sessions/{session_id}/report.pdf",
        "GET /api/sessions/{session_id}/report.xlsx",
    }


def test_an_educator_is_refused_what_only_administrators_may_do(served: Served) -> None:
    store = served.services.store
    store.create_educator("grace", "a password of hers", actor="test")
    client = _client(served)
    refused = set()
    for method, path in _guarded(served):
        if path.startswith(MOUNT):
            continue  # entered by cookie, not by password
        # nothing that an educator may do is done: the bodies are empty, the ids unknown
        address = _address(path).replace(SESSION, "sess_none")
        answer = client.request(method, address, auth=("grace", "a password of hers"), params={"dry_run": "true"})
        assert answer.status_code != 401
        if answer.status_code == 403:
            refused.add(f"{method} {path}")
    # routes with a body say first what the body lacks; they are tried with one below
    assert refused >= {"GET /api/educators", "GET /api/audit", "GET /api/retention", "POST /api/retention/purge"}
    for method, path in (("POST", "/api/educators"), ("PATCH", "/api/educators/{login}")):
        answer = client.request(method, _address(path), auth=("grace", "a password of hers"), **_body(path))
        assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["expired", "forged", "disabled", "old password"])
def test_no_route_opens_with_an_educators_cookie_that_is_not_good_any_more(
    served: Served, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store, login = served.services.store, f"cookie{kind[:3]}"
    store.create_educator(login, "a password of theirs", actor="test")
    cookie = served.pages.gate.cookie_of(Identity(login, "educator"))
    with_cookie = _client(served)
    with_cookie.cookies.set(COOKIE, cookie)
    assert with_cookie.get("/educators/config").status_code == 200
    if kind == "expired":
        monkeypatch.setattr(educators_login, "LIFE_S", -1)
    elif kind == "forged":
        cookie = Gate(served.app, served.pages.gate._access, "another key").cookie_of(Identity(login, "administrator"))
    elif kind == "disabled":
        store.set_disabled(login, True, actor="test")
    else:
        store.set_password(login, "another password", actor="test")
    assert {name: status for name, status in _tried(served, cookie).items() if status not in (401, 403)} == {}


@pytest.mark.parametrize("given", ["nothing", "expired", "forged", "used", "report"])
def test_the_socket_refuses_a_stranger(served: Served, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    mint = served.services.tickets
    ticket = {
        "nothing": None,
        "expired": mint.mint_ticket(),
        "forged": tickets.Tickets("another key").mint_ticket(),
        "used": mint.mint_ticket(),
        "report": mint.mint_report(SESSION),
    }[given]
    if given == "used":
        mint.use_ticket(str(ticket))
    if given == "expired":
        monkeypatch.setattr(tickets, "TICKET_LIFE_S", -1)
    client = _client(served)
    with client.websocket_connect("/v1/realtime") as socket:
        assert socket.receive_json()["type"] == "session.created"
        viva = {"discipline": "medical", "consent": True, **({"ticket": ticket} if ticket else {})}
        socket.send_text(json.dumps({"type": "session.update", "session": {"type": "realtime", "viva": viva}}))
        answer = socket.receive_json()
        assert answer["type"] == "error"
        assert answer["error"]["code"] == ("ticket_needed" if ticket is None else "invalid_ticket")
        socket.send_text(json.dumps({"type": "input_audio_buffer.append", "audio": ""}))
        assert socket.receive_json()["error"]["code"] == "ticket_needed"
    if ticket is not None:
        with client.websocket_connect(f"/v1/realtime?ticket={ticket}") as socket:
            assert socket.receive_json()["error"]["code"] == "invalid_ticket"
            with pytest.raises(WebSocketDisconnect):
                socket.receive_json()
