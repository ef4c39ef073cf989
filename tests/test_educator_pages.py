"""The educators' pages: who gets in, and what they do with sessions, doubtful marks and cohorts."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.requests import Request

from tests.browser import chromium
from tests.educators_pages import KEY, Served, answered_without_a_mark, sat, serving_educators
from tests.small_bank import BANK
from workbench.exam.report import build_report
from workbench.exam.report_data import AnswerFacts, KeyPointReport, SessionFacts
from workbench.exam.report_page import highlighted
from workbench.settings import Settings
from workbench.store.overview import OverviewLine
from workbench.store.repository import Store
from workbench.web.educators import plots, session_view
from workbench.web.educators.cohorts import _exports
from workbench.web.educators.login import COOKIE

PASSWORD = "the right one"
BANKS = {BANK.discipline: BANK}


def settings_for(folder: Path, **options: Any) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **options)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages with a password set."""
    settings = settings_for(tmp_path_factory.mktemp("locked"), password=PASSWORD)
    with serving_educators(settings, banks=BANKS) as served:
        served.store.create_educator("ada", "a long password", actor="test")
        sat(served.store, "sess_one")
        yield served


@pytest.fixture
def client(locked: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{locked.url}educators/") as client:
        yield client


def log_in(client: httpx.Client, login: str = "educator", password: str = PASSWORD) -> httpx.Response:
    return client.post("login", data={"login": login, "password": password})


# ---- who gets in ----


def test_nothing_of_the_pages_is_served_without_a_login(locked: Served, client: httpx.Client) -> None:
    inner = locked.pages.application
    paths = {getattr(route, "path", "/") for route in inner.routes} | {
        "/files/research.jsonl",
        "/files/research.zip",
        "/gradio_api/queue/join",
    }
    assert len(paths) > 20
    for path in sorted(paths):
        for method in ("GET", "POST"):
            answer = client.request(method, path.replace("{", "").replace("}", "").lstrip("/"))
            if path in ("/login", "/login/", "/logout"):
                continue
            refused = answer.status_code == 401 or (answer.status_code == 303 and answer.headers["location"] == "login")
            assert refused, f"{method} {path}: {answer.status_code}"


def test_every_event_refuses_a_stranger_by_itself(locked: Served) -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "client": ("203.0.113.7", 5)}
    stranger = gr.Request(Request({**scope, "headers": [(b"host", b"vivas.example")]}))
    n_tried = 0
    for block in locked.pages.blocks.fns.values():
        if block.fn is None:
            continue
        parameters = inspect.signature(block.fn).parameters
        if not parameters and block.fn.__closure__ is None:
            continue  # a constant: it is given nothing and reaches nothing
        given = {
            name: stranger if name == "request" else None
            for name, parameter in parameters.items()
            if parameter.kind is not parameter.VAR_POSITIONAL
        }
        assert "request" in given, f"{block.name} does not ask who sends the event"
        with pytest.raises(gr.Error, match="login has ended"):
            answer = block.fn(**given)
            if inspect.iscoroutine(answer):
                asyncio.run(answer)
        n_tried += 1
    assert n_tried > 20


def test_a_wrong_password_is_refused_and_the_right_one_opens_the_pages(client: httpx.Client) -> None:
    wrong = log_in(client, password="not this one")
    assert wrong.status_code == 401 and "Wrong user name or password" in wrong.text
    assert client.get("config").status_code == 401
    right = log_in(client)
    assert (right.status_code, right.headers["location"]) == (303, "./")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert client.get("config").json()["username"] == "educator"
    client.post("logout")
    assert client.get("config").status_code == 401


def test_an_account_that_is_disabled_is_out_at_once_and_so_is_an_old_password(
    locked: Served, client: httpx.Client
) -> None:
    assert log_in(client, "Ada", "a long password").status_code == 303
    assert client.get("config").json()["username"] == "ada"
    locked.store.set_disabled("ada", True, actor="test")
    assert client.get("config").status_code == 401
    locked.store.set_disabled("ada", False, actor="test")
    assert client.get("config").status_code == 200
    locked.store.set_password("ada", "another long one", actor="test")
    assert client.get("config").status_code == 401
    locked.store.set_password("ada", "a long password", actor="test")


@pytest.mark.parametrize("cookie", ["", "educator", "WyJlZHVjYXRvciJd.x.y"])
def test_a_cookie_this_server_did_not_make_opens_nothing(client: httpx.Client, cookie: str) -> None:
    assert client.get("config", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_a_login_ends_after_its_time(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(client)
    assert client.get("config").status_code == 200
    monkeypatch.setattr("workbench.web.educators.login.LIFE_S", -1)
    assert client.get("config").status_code == 401


def test_a_cookie_signed_with_another_key_opens_nothing(locked: Served, client: httpx.Client) -> None:
    content = URLSafeTimedSerializer(KEY, salt="viva.educator").loads(log_in(client).cookies[COOKIE])
    forged = URLSafeTimedSerializer("another key", salt="viva.educator").dumps(content)
    with httpx.Client(base_url=f"{locked.url}educators/") as other:
        assert other.get("config", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 401


def test_another_sites_page_can_do_nothing_with_the_login(client: httpx.Client) -> None:
    log_in(client)
    origin = {"Origin": "https://elsewhere.example"}
    assert client.post("gradio_api/queue/join", json={}, headers=origin).status_code == 403
    assert client.post("login", data={"login": "educator", "password": PASSWORD}, headers=origin).status_code == 403


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    with serving_educators(settings_for(tmp_path, password=PASSWORD), banks=BANKS) as served:
        with httpx.Client(base_url=f"{served.url}educators/") as client:
            answers = [log_in(client, password=f"guess {n}").status_code for n in range(11)]
            assert (answers[0], answers[-1]) == (401, 429)
            assert log_in(client).status_code == 429


def test_without_any_password_the_pages_open_on_this_machine_only(tmp_path: Path) -> None:
    with serving_educators(settings_for(tmp_path), banks=BANKS) as served:
        address = f"{served.url}educators/"
        assert httpx.get(f"{address}config").json()["username"] == "educator"
        for headers in ({"X-Forwarded-For": "203.0.113.7"}, {"Host": "abc.gradio.live"}):
            assert httpx.get(f"{address}config", headers=headers).status_code == 401
            page = httpx.get(f"{address}login", headers=headers)
            assert page.status_code == 403 and "VIVA_PASSWORD" in page.text
        served.store.create_educator("eve", "a long password", actor="test")
        assert httpx.get(f"{address}login", headers={"Host": "abc.gradio.live"}).status_code == 200


@pytest.mark.parametrize("root_path", ["/prefix", "https://vivas.example/prefix"])
def test_the_pages_know_the_prefix_they_are_served_under(tmp_path: Path, root_path: str) -> None:
    with serving_educators(settings_for(tmp_path, root_path=root_path), banks=BANKS) as served:
        root = httpx.get(f"{served.url}educators/config").json()["root"]
        assert root.endswith("/prefix/educators") and not root.endswith("/educators/educators")
        moved = httpx.get(f"{served.url}educators")
        assert (moved.status_code, moved.headers["location"]) == (307, "./educators/")


def test_the_researchers_export_holds_no_name_and_is_noted(locked: Served, client: httpx.Client) -> None:
    log_in(client, "ada", "a long password")
    answer = client.get("files/research.jsonl")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["session"]["id"] for row in rows] == ["sess_one"] and "Byron" not in answer.text
    assert locked.store.audit_log("all")[0].actor == "ada"
    assert client.get("files/research.jsonl?cohort=99").status_code == 404
    assert client.get("files/research.jsonl?cohort=x").status_code == 422


def test_the_researchers_tables_come_as_a_zip_in_every_format_offered(
    locked: Served, client: httpx.Client, tmp_path: Path
) -> None:
    from workbench.transcripts import load

    log_in(client, "ada", "a long password")
    answer = client.get("files/research.zip?format=parquet")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    (tmp_path / "vivas.zip").write_bytes(answer.content)
    found = load(tmp_path / "vivas.zip")
    assert list(found.sessions.session_id) == ["sess_one"] and "Byron" not in found.turns.to_csv()
    entry = locked.store.audit_log("all")[0]
    assert (entry.actor, entry.detail["format"], entry.detail["n_sessions"]) == ("ada", "parquet", 1)
    refused = client.get("files/research.zip?format=docx")
    assert refused.status_code == 422 and "allowed are parquet" in refused.json()["detail"]
    assert client.get("files/research.zip?cohort=99").status_code == 404
    assert "files/research.zip?format=eaf&amp;cohort=3" in _exports(3)


# ---- what is shown ----


def test_evidence_is_marked_by_a_sign_and_a_letter_and_nothing_said_becomes_markup() -> None:
    points = (
        KeyPointReport("a", "Aspirin", "aspirin", 0.5, "covered", "<b>aspirin</b>"),
        KeyPointReport("b", "ECG", "an ECG", 0.5, "contradicted", "no ECG"),
    )
    html = highlighted("Give <b>aspirin</b> & no ECG ${alert(1)}", points, signs=True)
    assert '<mark class="covered" title="Covered: aspirin">&lt;b&gt;aspirin&lt;/b&gt;</mark><sup>\u2713a</sup>' in html
    assert '<mark class="contradicted" title="Contradicted: an ECG">no ECG</mark><sup>\u2717b</sup>' in html
    assert "<b>" not in html


def test_the_list_finds_sessions_by_name_and_orders_them_by_doubt(tmp_path: Path) -> None:
    store = Store(settings_for(tmp_path))
    cohort = store.create_cohort("spring", actor="ada")
    sat(store, "sess_sure", name="Grace Hopper", confidence=0.95)
    sat(store, "sess_doubt", name="Ada Byron", confidence=0.4, cohort_id=cohort.id)

    def found(**wanted: Any) -> list[str]:
        lines, total = store.session_overview(**wanted)
        assert total == len(lines)
        return [line.id for line in lines]

    assert found(text="grace") == ["sess_sure"]
    assert found(text="100%_") == []
    assert found(order="doubt") == ["sess_doubt", "sess_sure"]
    assert found(published="held") == ["sess_doubt"] and found(published="open") == ["sess_sure"]
    store.publish_results(["sess_doubt"], actor="ada")
    assert found(published="published") == ["sess_doubt"]
    line: OverviewLine = store.session_overview(text="sess_doubt")[0][0]
    assert (line.score, line.n_marks, line.n_corrected) == (12, 3, 0)
    assert line.doubt == pytest.approx(1 - 0.37)
    for number in (1, 2, 3):
        store.confirm_mark("sess_doubt", number, actor="ada")
    line = store.session_overview(text="sess_doubt")[0][0]
    assert (line.doubt, line.n_corrected) == (None, 3)
    store.close()


def test_a_plot_takes_the_pages_colours_and_keeps_its_text_as_text() -> None:
    svg = plots.distribution([30, 60, 70, 90], 120)
    assert "var(--v-ink)" in svg and "#010203" not in svg
    assert "Score, of 120" in svg and "mean 62" in svg
    # scipy's own t interval of these four: 62.5 +- 39.8
    assert "95 % interval 23 to 102" in svg


def test_a_question_without_an_answer_says_so() -> None:
    question = BANK.area("cardiology").questions[0]
    report = build_report(BANK, SessionFacts("s", "cardiology"), [AnswerFacts(1, question.id, skipped=True)], {})
    card = session_view.question_card(report.questions[0], [], session_id="s", token=None)
    assert "The question was skipped" in card and "Not marked" in card and "No mark yet" in card


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_pages(tmp_path: Path) -> Iterator[Served]:
    """The pages on this machine without a password, with a cohort of three vivas."""
    with serving_educators(settings_for(tmp_path), banks=BANKS) as served:
        cohort = served.store.create_cohort("Spring", actor="ada")
        sat(served.store, "sess_one", recorded=True, cohort_id=cohort.id, confidence=0.6)
        sat(served.store, "sess_two", ("correct", "correct", "partial"), name="Grace Hopper", cohort_id=cohort.id)
        sat(served.store, "sess_six", ("incorrect", "correct", "partial"), name="Alan Perlis", cohort_id=cohort.id)
        yield served


def page_at(browser: Any, served: Served, query: str = "", **context: Any) -> Any:
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(f"{served.url}educators/{query}")
    page.wait_for_selector(".e-sessions, .e-question")
    return page


def wait_for_text(page: Any, selector: str, part: str) -> None:
    page.wait_for_function(
        "([selector, part]) => document.querySelector(selector)?.innerText.includes(part)", arg=[selector, part]
    )


@pytest.mark.browser
def test_a_mark_is_overridden_with_a_reason_undone_and_published(browser: Any, open_pages: Served) -> None:
    store = open_pages.store
    page = page_at(browser, open_pages)
    page.fill("#sessions-search input, #sessions-search textarea", "ada")
    page.wait_for_function("document.querySelectorAll('.e-sessions tbody tr').length === 1")
    page.click("a[data-session=sess_one]")
    # the most doubtful question is shown first
    wait_for_text(page, "#session-question", "Question 3")
    page.get_by_label("\u2713 Correct").first.check()
    page.fill("#session-mark-points input[type=number]", "8.5")
    page.click("#session-mark-change")
    page.get_by_text("write a reason for the change", exact=False).wait_for()
    assert len(store.mark_history("sess_one", 3)) == 1
    page.fill("#session-mark-reason textarea", "heard another drug's name")
    page.click("#session-mark-change")
    wait_for_text(page, "#session-question", "heard another drug's name")
    assert store.load_session("sess_one").marks_that_count[3].evaluation.points == 8.5
    wait_for_text(page, "#session-head", "20.5")
    page.click("#session-mark-undo")
    wait_for_text(page, "#session-head", "12 of")
    assert store.load_session("sess_one").marks_that_count[3].evaluation.points == 0
    assert store.results_held("sess_one")
    page.click("#session-publish")
    wait_for_text(page, "#session-head", "Published")
    assert not store.results_held("sess_one")
    actions = [row.action for row in store.audit_log("sess_one")]
    assert actions[:3] == ["results.published", "mark.restored", "mark.overridden"] and "session.read" in actions
    assert not page.problems
    page.context.close()


@pytest.mark.browser
def test_a_first_mark_that_is_undone_leaves_the_question_unmarked_and_the_page_says_so(
    browser: Any, open_pages: Served
) -> None:
    store = open_pages.store
    answered_without_a_mark(store, "sess_one", 4)
    page = page_at(browser, open_pages, "?session=sess_one")
    page.locator("#session-number label", has_text="4").first.click()
    wait_for_text(page, "#session-question", "Question 4")
    page.get_by_label("\u2713 Correct").first.check()
    page.fill("#session-mark-points input[type=number]", "9")
    page.fill("#session-mark-reason textarea", "the judge was down")
    page.click("#session-mark-change")
    wait_for_text(page, "#session-head", "21 of")
    page.click("#session-mark-undo")
    wait_for_text(page, "#session-head", "12 of")
    wait_for_text(page, ".e-question .e-score", "Not marked")
    wait_for_text(page, "#session-question", "History: 1 mark, none counts now")
    page.get_by_text("Question 4: back to not marked", exact=False).wait_for()
    page.wait_for_selector("#session-mark-undo:disabled")
    assert page.is_disabled("#session-mark-confirm") and not page.problems
    assert 4 not in store.load_session("sess_one").marks_that_count
    page.context.close()


@pytest.mark.browser
def test_a_word_of_the_transcript_plays_from_where_it_was_said(browser: Any, open_pages: Served) -> None:
    page = page_at(browser, open_pages, "?session=sess_one")
    page.wait_for_function("document.querySelector('audio.e-audio')?.readyState >= 1")
    word = page.locator(".e-word", has_text="aspirin").first
    word.click()
    page.wait_for_function("document.querySelector('audio.e-audio').currentTime >= 5.2")
    assert page.evaluate("document.querySelector('audio.e-audio').currentTime") < 10
    word.press("ArrowRight")
    focused = page.evaluate("document.activeElement.innerText")
    assert focused == "record"
    drawn = page.evaluate(
        "() => { const c = document.querySelector('.e-wave canvas');"
        " const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return pixels.filter((value, n) => n % 4 === 3 && value).length }"
    )
    assert drawn > 1000
    with page.context.expect_page() as report:
        page.get_by_role("link", name="Report").click()
    assert "Cardiology" in report.value.title()
    assert not page.problems
    page.context.close()


@pytest.mark.browser
def test_the_queue_is_worked_through_by_keys(browser: Any, open_pages: Served) -> None:
    store = open_pages.store
    page = page_at(browser, open_pages)
    page.get_by_role("tab", name="Moderation").click()
    wait_for_text(page, "#moderation-left", "9 marks left")
    wait_for_text(page, "#moderation-card", "doubt 43 %")
    page.keyboard.press("c")
    wait_for_text(page, "#moderation-left", "8 marks left")
    assert store.mark_history("sess_one", 3)[-1].reason == "confirmed"
    page.keyboard.press("s")
    wait_for_text(page, "#moderation-left", "1 of them skipped")
    page.keyboard.press("u")
    wait_for_text(page, "#moderation-left", "9 marks left")
    assert store.mark_history("sess_one", 3)[-1].rater == "judge"
    assert not page.problems
    page.context.close()


@pytest.mark.browser
def test_a_cohort_is_drawn_and_published_as_one(browser: Any, open_pages: Served) -> None:
    store = open_pages.store
    store.confirm_mark("sess_two", 1, actor="ada")
    page = page_at(browser, open_pages, viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('[role=tab]').forEach((t) => t.innerText === 'Cohorts' && t.click())")
    wait_for_text(page, "#cohort-plots", "Judge against human")
    assert page.locator("#cohort-plots svg").count() == 4
    wait_for_text(page, "#cohort-summary", "3 of 3 vivas from links wait")
    page.click("#cohort-publish")
    wait_for_text(page, "#cohort-summary", "0 of 3 vivas from links wait")
    assert not any(store.results_held(one) for one in ("sess_one", "sess_two", "sess_six"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.problems
    page.context.close()
