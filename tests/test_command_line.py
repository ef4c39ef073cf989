"""The command line: what it prints, what it refuses and how it says so."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.store_helpers import answer, mark, new_session, store_at
from workbench.cli import app
from workbench.realtime import protocol

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a fresh directory, none of the environment's and no .env of the checkout."""
    import os

    for name in list(os.environ):
        if name.startswith("VIVA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))


def viva(*arguments: str, expect: int = 0, answer_with: str | None = None):
    result = runner.invoke(app, list(arguments), input=answer_with)
    assert result.exit_code == expect, f"{result.output}\n{result.stderr}\n{result.exception!r}"
    return result


@pytest.fixture
def sat(tmp_path: Path) -> str:
    """Id of a finished session with two answers, one mark and a recording."""
    store = store_at(tmp_path)
    session_id = new_session(store, candidate_name="Ada Byron", session_id="sess_a")
    answer(store, session_id, 1, text="aspirin, “first”")
    answer(store, session_id, 2, text="heparin")
    store.save_turn(session_id, "candidate", "aspirin", start_s=1, end_s=2)
    store.save_evaluation(session_id, 1, mark(5.5))
    store.append_event(session_id, "began", 0.0)
    store.finish_session(session_id, completed=True)
    store.recordings_dir.mkdir()
    (store.recordings_dir / f"{session_id}.flac").write_bytes(b"sound")
    store.close()
    return session_id


def test_help_is_there_before_any_engine_is_loaded():
    code = (
        "import sys; from typer.testing import CliRunner; from workbench.cli import app;"
        "print(CliRunner().invoke(app, ['--help']).output);"
        "heavy = {'torch', 'gradio', 'onnxruntime', 'ctranslate2', 'sqlalchemy', 'fastapi', 'matplotlib', 'pandas'};"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "LOADED []" in printed
    for name in ("serve", "sessions", "doctor", "events", "version"):
        assert name in printed


def test_a_setting_out_of_range_is_one_line_and_exit_code_2():
    result = viva("serve", "--port", "99999", expect=2)
    assert "VIVA_PORT" in result.stderr and "65535" in result.stderr and "'99999'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_DATABASE_URL", "mysql://u:hunter2@h/db")
    result = viva("sessions", "list", expect=2)
    assert "allowed: sqlite, postgresql" in result.stderr and "hunter2" not in result.stderr


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_DATABASE_URL", "mysql://h/db")
    result = runner.invoke(app, ["--debug", "sessions", "list"])
    assert type(result.exception).__name__ == "StoreError"


def test_a_defect_of_the_program_is_never_swallowed(monkeypatch: pytest.MonkeyPatch):
    from workbench.store.repository import Store

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "list_sessions", broken)
    assert isinstance(runner.invoke(app, ["sessions", "list"]).exception, ZeroDivisionError)


def test_an_unknown_session_says_where_to_look():
    result = viva("sessions", "show", "sess_none", expect=2)
    assert "no session 'sess_none'; `viva sessions list`" in result.stderr


def test_a_missing_directory_of_banks_is_one_line(sat: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("VIVA_BANKS_DIR", str(tmp_path / "nowhere"))
    result = viva("report", sat, expect=2)
    assert "nowhere is no directory" in result.stderr and "Traceback" not in result.stderr


def test_a_command_whose_package_is_missing_says_so_and_the_others_still_work():
    code = """
import importlib
real = importlib.import_module
def without(name, package=None):
    if name == "workbench.commands.simulate":
        raise ModuleNotFoundError("No module named 'soxr'", name="soxr")
    return real(name, package)
importlib.import_module = without
from typer.testing import CliRunner
from workbench.cli import app
result = CliRunner().invoke(app, ["simulate", "--any", "thing"])
print(result.exit_code, result.stderr)
print(CliRunner().invoke(app, ["version"]).exit_code)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("2 viva: No module named 'soxr'; install") and printed.endswith("\n0\n")


def test_version_is_the_packages():
    assert viva("version").stdout.strip()[0].isdigit()


def test_sessions_are_listed_by_pseudonym_with_their_score(sat: str):
    result = viva("sessions", "list")
    assert sat in result.stdout and "medical/cardiology" in result.stdout and "5.5/120" in result.stdout
    assert "Ada" not in result.stdout
    listed = json.loads(viva("sessions", "list", "--json").stdout)
    assert (listed["total"], listed["sessions"][0]["score"], listed["sessions"][0]["id"]) == (1, 5.5, sat)
    assert json.loads(viva("sessions", "list", "--status", "running", "--json").stdout)["total"] == 0


def test_showing_a_session_prints_all_of_it(sat: str):
    shown = json.loads(viva("sessions", "show", sat).stdout)
    assert shown["session"]["candidate_name"] == "Ada Byron"
    assert [row["text"] for row in shown["answers"]] == ["aspirin, “first”", "heparin"]
    assert shown["marks"][0]["evaluation"]["evidence"][0]["quote"] == "troponin"
    assert shown["result"]["score"] == 5.5 and shown["events"][0]["type"] == "began"
    assert shown["recording"].endswith("sess_a.flac")


def test_an_export_has_no_name_in_it_and_is_noted(sat: str, tmp_path: Path):
    out = tmp_path / "out" / "all.json"
    viva("sessions", "export", "--out", str(out))
    (exported,) = json.loads(out.read_text())
    assert exported["turns"][0]["text"] == "aspirin" and exported["id"] == sat
    assert "Ada" not in out.read_text()
    assert out.stat().st_mode & 0o077 == 0
    store = store_at(tmp_path)
    assert [entry.action for entry in store.audit_log("json")] == ["sessions.exported"]
    store.close()


def test_a_csv_export_has_a_row_a_session(sat: str, tmp_path: Path):
    store = store_at(tmp_path)
    new_session(store)
    store.close()
    rows = list(csv.DictReader(io.StringIO(viva("sessions", "export", "--format", "csv").stdout)))
    assert [(row["status"], row["score"]) for row in rows] == [("running", ""), ("finished", "5.5")]
    assert all("candidate_name" not in row for row in rows)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "tables", "webvtt", "textgrid", "eaf", "convokit"])
def test_an_export_for_research_has_no_name_in_it_and_is_noted(sat: str, tmp_path: Path, kind: str):
    from workbench.transcripts import load

    store = store_at(tmp_path)
    store.save_turn(sat, "candidate", "ada byron again", start_s=3, end_s=4)
    store.close()
    out = tmp_path / "out" / ("vivas.jsonl" if kind == "jsonl" else "vivas")
    viva("sessions", "export", "--format", kind, "--out", str(out))
    files = [out] if kind == "jsonl" else sorted(out.iterdir())
    assert files and not any(b"byron" in file.read_bytes().lower() for file in files)
    if kind in ("jsonl", "parquet", "tables"):
        assert list(load(out).turns.text) == ["aspirin", f"{load(out).sessions.candidate_id[0]} again"]
    store = store_at(tmp_path)
    assert store.audit_log("all")[0].action == "research.exported"
    store.close()


def test_an_export_under_a_key_of_ones_own_has_other_ids(sat: str, tmp_path: Path):
    from workbench.transcripts import load

    (tmp_path / "key").write_text("a secret\n")
    viva("sessions", "export", "-f", "parquet", "--key-file", str(tmp_path / "key"), "--out", str(tmp_path / "x.zip"))
    (session_id,) = load(tmp_path / "x.zip").sessions.session_id
    assert session_id.startswith("s-") and sat not in session_id
    assert "--key-file are for jsonl" in viva("sessions", "export", "--key-file", "k", expect=2).stderr.replace(
        "\n", " "
    )


def test_the_json_export_is_loaded_as_the_store_is(sat: str, tmp_path: Path):
    from tests.transcript_helpers import assert_same
    from workbench.transcripts import load

    viva("sessions", "export", "--out", str(tmp_path / "all.json"))
    assert_same(load(tmp_path / "viva.sqlite3"), load(tmp_path / "all.json"))


def test_transcripts_are_a_line_a_viva_without_a_word_that_was_said(sat: str, tmp_path: Path):
    printed = viva("transcripts").stdout
    assert printed.startswith("sess_a  ") and "medical/cardiology" in printed and "5.5/120" in printed
    assert "aspirin" not in printed and "Ada" not in printed
    assert viva("transcripts", str(tmp_path / "viva.sqlite3")).stdout == printed
    assert "there is nothing at" in viva("transcripts", str(tmp_path / "none"), expect=2).stderr
    viva("transcripts", "--to", "webvtt", "--redact", "aspirin", "--out", str(tmp_path / "vtt"))
    assert "[name]" in (tmp_path / "vtt" / "sess_a.vtt").read_text()


def test_the_data_dictionary_is_printed():
    assert viva("transcripts", "--dictionary").stdout.startswith("# Data dictionary\n")


def test_deleting_asks_first_and_no_means_no(sat: str, tmp_path: Path):
    assert "kept sess_a" in viva("sessions", "delete", sat, answer_with="n\n").stdout
    assert (tmp_path / "recordings" / "sess_a.flac").exists()
    assert "deleted sess_a and 1 recording file\n" in viva("sessions", "delete", sat, "--yes").stdout
    assert not (tmp_path / "recordings" / "sess_a.flac").exists()
    assert json.loads(viva("sessions", "list", "--json").stdout)["total"] == 0


def test_a_running_session_is_not_deleted(tmp_path: Path):
    store = store_at(tmp_path)
    session_id = new_session(store, session_id="sess_now")
    store.close()
    assert "sess_now is still running" in viva("sessions", "delete", session_id, "--yes", expect=2).stderr
    assert json.loads(viva("sessions", "list", "--json").stdout)["total"] == 1


def test_half_a_report_is_not_mailed_while_its_candidate_may_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("VIVA_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("VIVA_MAIL_FROM", "vivas@example.org")
    store = store_at(tmp_path)
    session_id = new_session(store, session_id="sess_left")
    store.mark_abandoned(session_id)
    store.close()
    said = viva("deliver", "mail", session_id, "sess_none", "--to", "me@example.org", expect=2).stderr
    assert "sess_left was abandoned" in said and "UTC; mail its report after that" in said
    assert "sess_none: not delivered: no session" in said, "the first refusal must not keep the others"


def test_a_purge_only_lists_unless_told_otherwise(sat: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from datetime import UTC, datetime, timedelta

    from workbench.store import core

    assert viva("sessions", "purge", "--for-good").stdout == ""
    later = datetime.now(UTC) + timedelta(days=181)
    monkeypatch.setattr(core.Database.__init__, "__kwdefaults__", {"url": None, "now": lambda: later})
    assert viva("sessions", "purge").stdout == "would delete sess_a\n"
    assert viva("sessions", "purge", "--for-good").stdout == "deleted sess_a\n"
    assert json.loads(viva("sessions", "list", "--json").stdout)["total"] == 0


def test_the_events_document_has_every_event_and_every_field():
    page = viva("events").stdout
    for model in (*protocol.CLIENT_EVENT_MODELS, *protocol.VIVA_EVENT_MODELS):
        section = page.split(f"### `{model.model_fields['type'].annotation.__args__[0]}`")[1].split("\n### ")[0]
        for name in model.model_fields:
            assert f"| `{name}` |" in section
    assert all(f"- `{name}`" in page for name in protocol.STOCK_SERVER_EVENT_TYPES)


def test_the_events_schema_accepts_what_the_server_accepts_and_refuses_what_it_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(viva("events", "--format", "json").stdout)
    client = jsonschema.Draft202012Validator({"$defs": schema["$defs"], **schema["client"]})
    good = {"type": "viva.command", "command": "repeat"}
    bad = {"type": "viva.command", "command": "shout"}
    assert client.is_valid(good) and not client.is_valid(bad)
    protocol.parse_client_event(json.dumps(good))
    with pytest.raises(protocol.ProtocolError):
        protocol.parse_client_event(json.dumps(bad))


# ---- doctor ----


def finding(name: str, *arguments: str, expect: int | None = None) -> dict[str, str]:
    result = runner.invoke(app, ["doctor", "--json"])
    if expect is not None:
        assert result.exit_code == expect, result.output
    return {item["name"]: item for item in json.loads(result.stdout)}[name]


def test_doctor_says_what_each_engine_would_use():
    names = {item["name"] for item in json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)}
    assert {"python", "cpu", "memory", "gpu", "database", "port", "login", "browser"} <= names
    assert {f"engine {stage}" for stage in ("vad", "end_of_turn", "asr", "llm", "tts")} <= names


def test_doctor_fails_with_exit_code_1_when_the_weights_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_MODELS_DIR", str(tmp_path / "empty"))
    missing = finding("weights whisper-tiny.en", expect=1)
    assert (missing["level"], missing["advice"]) == ("fail", "run `viva models pull whisper-tiny.en`")


def test_doctor_names_the_engines_there_are_for_a_misspelt_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_TTS", "pipper")
    found = finding("engine tts", expect=1)
    assert found["level"] == "fail" and "known: http, piper, vibevoice" in found["detail"]


def test_doctor_notices_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    monkeypatch.setenv("VIVA_LLM", "http")
    monkeypatch.setenv("VIVA_LLM_URL", address)
    found = finding("engine llm", expect=1)
    assert found["detail"] == f"http: nothing answers at {address}"


def test_doctor_notices_a_port_in_use_by_something_else(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("VIVA_PORT", str(taken.getsockname()[1]))
        found = finding("port", expect=1)
    assert found["level"] == "fail" and "--port" in found["advice"]


def test_doctor_looks_at_the_database_without_making_one(tmp_path: Path):
    assert finding("database")["detail"].startswith("will be made")
    assert not (tmp_path / "viva.sqlite3").exists()
    store_at(tmp_path).close()
    assert "revision 0002" in finding("database")["detail"]


def test_doctor_warns_of_an_open_server_without_a_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIVA_SHARE", "true")
    assert finding("login")["level"] == "warn"
    monkeypatch.setenv("VIVA_PASSWORD", "hunter2")
    found = finding("login")
    assert found["level"] == "ok" and "hunter2" not in json.dumps(found)


def test_a_check_that_breaks_is_a_finding_and_not_a_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("VIVA_BANKS_DIR", str(tmp_path / "nowhere"))
    found = finding("banks", expect=1)
    assert found["level"] == "fail" and "is no directory" in found["detail"]


def test_doctor_prints_a_line_a_finding_for_people():
    printed = runner.invoke(app, ["doctor"]).stdout
    assert "ok    python" in printed and "ok    ffmpeg" in printed


@pytest.mark.parametrize("kind, begins", [("html", "<!doctype html>"), ("json", "{"), ("csv", "session_id,")])
def test_a_report_is_written_in_each_format(tmp_path: Path, kind: str, begins: str):
    from workbench.exam.bank import load_banks

    area = load_banks()["medical"].areas[0]
    store = store_at(tmp_path)
    session_id = new_session(store, area=area.key, session_id="sess_r")
    store.save_answer(session_id, 1, area.questions[0].id, "an ECG", typed=False, probe=False, skipped=False, at_s=1.0)
    store.finish_session(session_id, completed=False)
    store.close()
    out = tmp_path / f"report.{kind}"
    viva("report", session_id, "--format", kind, "--out", str(out))
    assert out.read_text().lower().startswith(begins)
    assert viva("report", session_id, "--format", kind).stdout.strip() == out.read_text().replace("\r\n", "\n").strip()
