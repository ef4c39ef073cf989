"""The HTTP API: who may read what, and that it says what the store holds."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from tests.store_helpers import mark, new_session
from workbench import metrics
from workbench.api import build_api
from workbench.exam.bank import load_banks
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.recorder import Recorder
from workbench.store.repository import Store

TOKENS = {"good-a": "sess_a", "good-b": "sess_b"}
BANKS = load_banks()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a finished session `sess_a`, recorded, and a running one, `sess_b`."""
    store = Store(Settings(_env_file=None, data_dir=tmp_path))  # type: ignore[call-arg]
    bank_id = store.publish_bank("medical", "1", bank_snapshot.to_text(BANKS["medical"]))
    question = BANKS["medical"].areas[0].questions[0]
    for session_id in ("sess_a", "sess_b"):
        new_session(store, session_id=session_id, candidate_name="Ada <b>Byron</b>", bank_id=bank_id)
        store.save_answer(
            session_id, 1, question.id, "aspirin <script>x</script>", typed=False, probe=False, skipped=False, at_s=3.0
        )
        store.save_turn(session_id, "candidate", "aspirin <script>x</script>", start_s=1.0, end_s=2.5, number=1)
        store.save_evaluation(session_id, 1, mark(5.5, question.id))
    store.finish_session("sess_a", completed=True)
    recorder = Recorder(store.recording_path("sess_a"))
    recorder.write_candidate(np.linspace(-0.5, 0.5, 16_000, dtype=np.float32))
    recorder.close()
    yield store
    store.close()


class Caller:
    """Calls the API as a client at some address would."""

    def __init__(self, store: Store, settings: Settings, address: str = "127.0.0.1", root: str = "") -> None:
        app = Starlette(routes=build_api(store, BANKS, settings, TOKENS.get))
        transport = httpx.ASGITransport(app=app, client=(address, 5000), root_path=root)
        self.transport = transport

    async def __call__(self, path: str, method: str = "GET", host: str = "127.0.0.1:7860", **options: Any):
        async with httpx.AsyncClient(transport=self.transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, **options)


def with_settings(store: Store, **changes: Any) -> Settings:
    return Settings(**{"_env_file": None, "data_dir": store.settings.data_dir, **changes})


@pytest.fixture
def local(store: Store) -> Caller:
    """A client on this machine, no password set."""
    return Caller(store, store.settings)


@pytest.fixture
def guarded(store: Store) -> Caller:
    """A client elsewhere, with a password set."""
    settings = with_settings(store, password="pässword:with colon", username="educator")
    return Caller(store, settings, "203.0.113.9")


LOGIN = httpx.BasicAuth(b"educator", "pässword:with colon".encode())


async def test_health_says_whether_the_database_answers(local: Caller, store: Store):
    healthy = await local("/health")
    assert (healthy.status_code, healthy.json()["status"], healthy.json()["database"]) == (200, "ok", True)
    store.close()
    path = store.settings.data_dir / "viva.sqlite3"
    for file in path.parent.glob("viva.sqlite3*"):
        file.unlink()
    path.mkdir()
    failing = await local("/health")
    assert (failing.status_code, failing.json()["database"]) == (503, False)


async def test_metrics_are_in_prometheus_format_and_count(local: Caller):
    def value(text: str, name: str, **labels: str) -> float:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and all(sample.labels.get(key) == item for key, item in labels.items()):
                    return sample.value
        return 0.0

    before = (await local("/metrics")).text
    metrics.seats(3, 2)
    metrics.barge_in("resume")
    metrics.wording(False)
    metrics.engine_error("asr")
    metrics.protocol_error("invalid_json")
    metrics.session_ended("finished")
    after = await local("/metrics")
    assert after.headers["content-type"].startswith("text/plain; version=")
    assert value(after.text, "viva_sessions_active") == 3 and value(after.text, "viva_queue_length") == 2
    for name, labels in (
        ("viva_barge_ins_total", {"decision": "resume"}),
        ("viva_wordings_total", {"outcome": "fallback"}),
        ("viva_engine_errors_total", {"stage": "asr"}),
        ("viva_protocol_errors_total", {"code": "invalid_json"}),
        ("viva_sessions_total", {"outcome": "finished"}),
    ):
        assert value(after.text, name, **labels) == value(before, name, **labels) + 1, name


async def test_a_turn_is_counted_in_every_stage_it_went_through(local: Caller):
    from workbench.realtime.protocol import VivaLatency

    def count(text: str, stage: str) -> float:
        needle = f'viva_stage_seconds_count{{stage="{stage}"}} '
        return next((float(line.removeprefix(needle)) for line in text.splitlines() if line.startswith(needle)), 0)

    before = (await local("/metrics")).text
    metrics.turn(
        VivaLatency(
            turn=1, mode="practice", patience_ms=500, endpoint_ms=520, asr_ms=560, judge_ms=None, llm_first_ms=600,
            llm_sentence_ms=640, tts_first_ms=690, sent_ms=700, first_kind="feedback", made_for_answer=True,
        )
    )  # fmt: skip
    after = (await local("/metrics")).text
    assert {stage: count(after, stage) - count(before, stage) for stage in metrics.STAGES} == {
        "endpoint": 1, "asr": 1, "judge": 0, "llm_first": 1, "llm_sentence": 1, "tts_first": 1, "sent": 1
    }  # fmt: skip


async def test_the_list_is_paged_and_filtered(local: Caller):
    page = (await local("/api/sessions", params={"limit": 1})).json()
    assert (page["total"], len(page["sessions"]), page["sessions"][0]["session"]["id"]) == (2, 1, "sess_b")
    finished = (await local("/api/sessions", params={"status": "finished"})).json()
    assert [row["session"]["id"] for row in finished["sessions"]] == ["sess_a"]
    assert finished["sessions"][0]["result"]["score"] == 5.5
    later = (await local("/api/sessions", params={"since": "2999-01-01T00:00:00Z"})).json()
    assert later["total"] == 0


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "offset=-1", "status=gone", "since=yesterday", "since=2026-01-01T00:00:00"]
)
async def test_a_query_out_of_range_is_refused_by_name(local: Caller, query: str):
    refused = await local(f"/api/sessions?{query}")
    assert refused.status_code == 422 and query.partition("=")[0] in refused.text


async def test_one_session_shows_all_that_is_kept(local: Caller):
    shown = (await local("/api/sessions/sess_a")).json()
    assert shown["answers"][0]["text"] == "aspirin <script>x</script>"
    assert shown["marks"][0]["evaluation"]["evidence"][0]["quote"] == "troponin"
    assert shown["turns"][0]["start_s"] == 1.0 and shown["has_recording"] is True


@pytest.mark.parametrize("path", ["/api/sessions/none", "/api/sessions/none/audio", "/api/sessions/none/report.json"])
async def test_an_unknown_session_is_404(local: Caller, path: str):
    assert (await local(path)).status_code == 404


@pytest.mark.parametrize("session_id", ["a%20b", "..%2F..%2Fetc", "x" * 65])
async def test_an_id_that_is_none_reaches_no_file(local: Caller, session_id: str):
    assert (await local(f"/api/sessions/{session_id}/audio")).status_code in (404, 422)


async def test_deleting_deletes_and_says_who_did(local: Caller, store: Store):
    assert (await local("/api/sessions/sess_a", "DELETE")).status_code == 204
    assert (await local("/api/sessions/sess_a")).status_code == 404
    assert list(store.recordings_dir.iterdir()) == []
    assert store.audit_log("sess_a")[0].actor == "educator"


async def test_a_running_viva_is_not_deleted_under_the_candidate(local: Caller):
    assert (await local("/api/sessions/sess_b", "DELETE")).status_code == 409


# ---- who may ----

GUARDED = [
    ("GET", "/api/sessions"),
    ("GET", "/api/sessions/sess_a"),
    ("DELETE", "/api/sessions/sess_a"),
    ("GET", "/api/sessions/sess_a/audio"),
    ("GET", "/api/sessions/sess_a/report.json"),
]


@pytest.mark.parametrize("method, path", GUARDED)
async def test_nothing_is_read_without_the_password(guarded: Caller, method: str, path: str):
    anonymous = await guarded(path, method)
    assert (anonymous.status_code, anonymous.headers["www-authenticate"].split()[0]) == (401, "Basic")
    for wrong in (("educator", "wrong"), ("other", "pässword:with colon"), ("educator", "")):
        refused = await guarded(path, method, auth=httpx.BasicAuth(*(item.encode() for item in wrong)))
        assert refused.status_code == 401


async def test_the_right_password_opens_the_list(guarded: Caller):
    assert (await guarded("/api/sessions", auth=LOGIN)).json()["total"] == 2


async def test_guessing_the_password_is_slowed_down_for_one_address_only(guarded: Caller):
    guesser, other = {"x-forwarded-for": "spoofed, 198.51.100.1"}, {"x-forwarded-for": "198.51.100.2"}
    for number in range(10):
        wrong = httpx.BasicAuth("educator", f"guess {number}")
        assert (await guarded("/api/sessions", auth=wrong, headers=guesser)).status_code == 401
    late = await guarded("/api/sessions", auth=LOGIN, headers={"x-forwarded-for": "other, 198.51.100.1"})
    assert late.status_code == 429 and 1 <= int(late.headers["retry-after"]) <= 61
    assert (await guarded("/api/sessions", auth=LOGIN, headers=other)).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /////w==", "Bearer x", "Basic ZWR1Y2F0b3I=", ""])
async def test_a_malformed_login_is_refused_and_not_a_crash(guarded: Caller, header: str):
    assert (await guarded("/api/sessions", headers={"Authorization": header})).status_code == 401


@pytest.mark.parametrize("method, path", GUARDED)
async def test_without_a_password_only_this_machine_reads(store: Store, method: str, path: str):
    elsewhere = Caller(store, store.settings, "203.0.113.9")
    refused = await elsewhere(path, method)
    assert refused.status_code == 403 and "VIVA_PASSWORD" in refused.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-Host": "localhost"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_a_proxied_request_is_not_from_this_machine(local: Caller, headers: dict[str, str]):
    assert (await local("/api/sessions", headers=headers)).status_code == 403


@pytest.mark.parametrize("host", ["abc.gradio.live", "evil.example:7860", "127.0.0.1.evil.example", "[2001:db8::1]"])
async def test_a_foreign_host_name_that_resolves_here_is_not_this_machine(local: Caller, host: str):
    assert (await local("/api/sessions", headers={"Host": host})).status_code == 403


@pytest.mark.parametrize(
    "address, host", [("127.0.0.1", "localhost:7860"), ("::1", "[::1]:7860"), ("::ffff:127.0.0.1", "127.0.0.1")]
)
async def test_this_machine_by_any_of_its_names_is_this_machine(store: Store, address: str, host: str):
    caller = Caller(store, store.settings, address)
    assert (await caller("/api/sessions", headers={"Host": host})).status_code == 200


async def test_an_empty_password_is_none(store: Store):
    settings = with_settings(store, password="")
    elsewhere = Caller(store, settings, "203.0.113.9")
    assert (await elsewhere("/api/sessions", auth=httpx.BasicAuth("educator", ""))).status_code == 403


async def test_another_sites_page_cannot_use_the_educators_browser(local: Caller, store: Store):
    evil = {"Origin": "https://evil.example"}
    assert (await local("/api/sessions/sess_a", "DELETE", headers=evil)).status_code == 403
    blind = {"Sec-Fetch-Site": "cross-site"}
    assert (await local("/api/sessions/sess_a", "DELETE", headers=blind)).status_code == 403
    own = {"Origin": "http://127.0.0.1:7860"}
    assert (await local("/api/sessions", headers=own)).status_code == 200
    allowing = Caller(store, with_settings(store, allowed_origins="https://a.example, https://evil.example/"))
    assert (await allowing("/api/sessions", headers=evil)).status_code == 200


@pytest.mark.parametrize("kind", [".html", ".json", ".csv", ""])
async def test_a_candidates_token_opens_their_own_report_and_no_other(guarded: Caller, kind: str):
    own = await guarded(f"/api/sessions/sess_a/report{kind}?token=good-a")
    assert own.status_code == 200 and "no-store" in own.headers["cache-control"]
    for token in ("good-b", "forged", ""):
        refused = await guarded(f"/api/sessions/sess_a/report{kind}", params={"token": token})
        assert refused.status_code == 403


async def test_a_candidates_token_opens_nothing_else(guarded: Caller):
    assert (await guarded("/api/sessions/sess_a/audio?token=good-a")).status_code == 200
    assert (await guarded("/api/sessions/sess_a?token=good-a")).status_code == 401
    assert (await guarded("/api/sessions?token=good-a")).status_code == 401
    assert (await guarded("/api/sessions/sess_a?token=good-a", "DELETE")).status_code == 401


async def test_a_report_waits_until_the_viva_is_over(guarded: Caller):
    early = await guarded("/api/sessions/sess_b/report.json?token=good-b")
    assert early.status_code == 409 and "over" in early.text
    assert (await guarded("/api/sessions/sess_b/report.json", auth=LOGIN)).status_code == 200


# ---- reports and sound ----


async def test_the_report_page_shows_what_was_said_and_runs_none_of_it(local: Caller):
    page = await local("/api/sessions/sess_a/report.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "aspirin &lt;script&gt;" in page.text and "<script>x" not in page.text
    assert "<b>Byron" not in page.text


async def test_the_json_report_says_where_the_recording_is(guarded: Caller):
    report = (await guarded("/api/sessions/sess_a/report.json?token=good-a")).json()
    assert report["audio_url"] == "api/sessions/sess_a/audio?token=good-a"
    assert (await guarded("/" + report["audio_url"])).status_code == 200
    running = (await guarded("/api/sessions/sess_b/report.json", auth=LOGIN)).json()
    assert running["audio_url"] is None


async def test_the_recording_is_served_whole_and_in_ranges(local: Caller, store: Store, tmp_path: Path):
    whole = await local("/api/sessions/sess_a/audio")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/flac")
    assert whole.content == (store.recordings_dir / "sess_a.flac").read_bytes()
    part = await local("/api/sessions/sess_a/audio", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert (await local("/api/sessions/sess_a/audio", headers={"Range": "bytes=9999999-"})).status_code == 416
    head = await local("/api/sessions/sess_a/audio", "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_a_viva_without_a_recording_says_so(local: Caller):
    missing = await local("/api/sessions/sess_b/audio")
    assert missing.status_code == 404 and "no recording was kept" in missing.text


async def test_a_recording_left_by_a_crash_is_mended_before_it_is_served(local: Caller, store: Store, tmp_path: Path):
    recorder = Recorder(store.recording_path("sess_b"))
    recorder.write_candidate(np.ones(1000, np.float32) * 0.25)
    flac = recorder.close()
    assert flac is not None
    from workbench.store.recordings import to_wav

    wav = to_wav(flac)
    with wav.open("r+b") as file:
        # the header of the first flush, the sound of a later one
        file.seek(40)
        file.write((40).to_bytes(4, "little"))
    assert (await local("/api/sessions/sess_b/audio")).status_code == 409
    store.finish_session("sess_b", completed=False)
    long_ago = time.time() - 60
    os.utime(wav, (long_ago, long_ago))
    served = await local("/api/sessions/sess_b/audio")
    assert (served.status_code, served.headers["content-type"]) == (200, "audio/wav")
    (tmp_path / "served.wav").write_bytes(served.content)
    assert soundfile.info(tmp_path / "served.wav").frames == 1000


# ---- documents ----


async def test_the_openapi_document_names_every_route_and_object(local: Caller):
    document = (await local("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) >= {
        "/health", "/metrics", "/api/sessions", "/api/sessions/{session_id}", "/api/sessions/{session_id}/audio",
        "/api/sessions/{session_id}/report.html", "/api/sessions/{session_id}/report.json",
        "/api/sessions/{session_id}/report.csv",
    }  # fmt: skip
    assert set(document["paths"]["/api/sessions/{session_id}"]) == {"get", "delete"}
    schemas = document["components"]["schemas"]
    assert "pseudonym" in schemas["SessionRow"]["properties"]


async def test_every_operation_id_is_used_once(local: Caller, recwarn: pytest.WarningsRecorder):
    document = (await local("/api/openapi.json")).json()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


async def test_the_docs_page_needs_nothing_from_elsewhere(local: Caller):
    page = (await local("/api/docs")).text
    assert "GET /api/sessions/{session_id}" in page and "pseudonym" in page
    assert "<script" not in page and "http://" not in page and "https://" not in page


async def test_the_protocol_of_the_socket_is_served_as_a_schema(local: Caller):
    schema = json.loads((await local("/api/events.json")).text)
    assert "SessionUpdate" in schema["$defs"]


async def test_the_routes_work_below_a_reverse_proxys_prefix(store: Store):
    caller = Caller(store, store.settings, root="/viva")
    assert (await caller("/viva/api/sessions")).json()["total"] == 2
