"""Copies in an archive: on a real S3 server and on a directory, checked, retried, deleted when the session is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from tests.delivery_helpers import BANKS, configured, sat
from tests.store_helpers import new_session, store_at
from workbench.cli import app as viva
from workbench.delivery import archive
from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.worker import DeliveryWorker, forget_deleted, outbox_of, sweep
from workbench.settings import Settings
from workbench.store.recorder import Recorder
from workbench.store.repository import Store
from workbench.store.rows import RESUME_LIFE_S

SECRET = "s3cr3t-key"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a recorded exam."""
    store = store_at(tmp_path / "data")
    sat(store)
    recorder = Recorder(store.recording_path("sess_a"))
    recorder.write_candidate(np.linspace(-0.5, 0.5, 16_000, dtype=np.float32))
    recorder.close()
    yield store
    store.close()


@pytest.fixture
def local(store: Store, tmp_path: Path) -> Settings:
    return configured(store.settings.data_dir, archive_url=f"file://{tmp_path / 'kept'}")


def no_wait(seconds: float) -> None:
    """Waits for nothing."""


def copy(store: Store, settings: Settings, session_id: str = "sess_a") -> list[str]:
    return archive.archive_session(store, BANKS, settings, outbox_of(settings), session_id, sleep=no_wait)


def at_s3(store: Store, s3: str, bucket: str, **changes: Any) -> Settings:
    options = {"key": "id", "secret": SECRET, "client_kwargs": {"endpoint_url": s3, "region_name": "eu-west-1"}}
    files = fsspec.filesystem("s3", **options)
    if not files.exists(bucket):
        files.mkdir(bucket)
    given = {"archive_url": f"s3://{bucket}/vivas", "archive_options": json.dumps(options), **changes}
    return configured(store.settings.data_dir, **given)


def test_recording_and_report_reach_s3_byte_for_byte(store: Store, s3: str) -> None:
    settings = at_s3(store, s3, "exams")
    assert copy(store, settings) == ["report.json", "report.pdf", "recording.flac"]
    files, root = archive._files(settings)
    there = files.cat_file(f"{root}/sess_a/recording.flac")
    assert there == (store.recordings_dir / "sess_a.flac").read_bytes()
    assert json.loads(files.cat_file(f"{root}/sess_a/report.json"))["score"] == 7.5
    assert files.cat_file(f"{root}/sess_a/report.pdf").startswith(b"%PDF-")
    assert (store.recordings_dir / "sess_a.flac").exists()


def test_the_test_button_leaves_nothing_behind_at_s3(store: Store, s3: str) -> None:
    settings = at_s3(store, s3, "tests")
    assert "took a test file" in archive.send_test(settings)
    files, root = archive._files(settings)
    files.invalidate_cache()
    assert not files.exists(root) or files.find(root) == []


def test_a_bucket_that_is_not_there_is_said_and_nothing_secret(store: Store, s3: str, caplog) -> None:
    caplog.set_level(logging.INFO)
    settings = at_s3(store, s3, "exams", archive_url="s3://none-such/vivas", delivery_tries=1)
    with pytest.raises(DeliveryError, match="s3://none-such/vivas") as caught:
        archive.send_test(settings, sleep=no_wait)
    assert not archive._files(settings)[0].exists("none-such")
    assert SECRET not in str(caught.value) + "".join(record.getMessage() for record in caplog.records)


def test_the_local_recording_goes_only_when_told_and_after_its_copy_was_checked(store, local, monkeypatch) -> None:
    told = local.model_copy(update={"archive_delete_local": True, "delivery_tries": 2})
    files, _ = archive._files(told)
    monkeypatch.setattr(type(files), "info", lambda self, path, **more: {"size": 1})
    with pytest.raises(Transient, match="1 of the"):
        copy(store, told)
    assert (store.recordings_dir / "sess_a.flac").exists()
    monkeypatch.undo()
    copy(store, told)
    assert list(store.recordings_dir.iterdir()) == []


def test_a_disturbance_is_tried_again(store, local, monkeypatch) -> None:
    files, _ = archive._files(local)
    whole, broken = type(files).put_file, [OSError("line broke"), TimeoutError()]

    def put(self: Any, *arguments: Any, **more: Any) -> Any:
        if broken:
            raise broken.pop()
        return whole(self, *arguments, **more)

    monkeypatch.setattr(type(files), "put_file", put)
    assert "recording.flac" in copy(store, local) and broken == []


def test_a_refused_login_is_not_tried_again(store, local, monkeypatch) -> None:
    files, _ = archive._files(local)
    n_tries = []

    def refuse(self: Any, *arguments: Any, **more: Any) -> None:
        n_tries.append(1)
        raise PermissionError("no")

    monkeypatch.setattr(type(files), "pipe_file", refuse)
    with pytest.raises(DeliveryError, match="VIVA_ARCHIVE_OPTIONS"):
        copy(store, local)
    assert len(n_tries) == 1
    assert [row.state for row in outbox_of(local).rows("archive")] == ["failed"]


def test_a_running_viva_is_not_copied(store, local) -> None:
    with pytest.raises(DeliveryError, match="still being recorded"):
        copy(store, local, new_session(store))


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"archive_url": "nosuch://x"}, "fsspec"),
        ({"archive_options": "[1]"}, "VIVA_ARCHIVE_OPTIONS"),
        ({"archive_options": "{"}, "VIVA_ARCHIVE_OPTIONS"),
    ],
)
def test_settings_that_make_no_sense_are_named(local: Settings, tmp_path: Path, changes, complaint) -> None:
    wrong = configured(tmp_path, **{"archive_url": local.archive_url, **changes})
    with pytest.raises(DeliveryError, match=complaint):
        archive.send_test(wrong)


def test_without_settings_it_is_off(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="VIVA_ARCHIVE_URL"):
        copy(store, configured(tmp_path))


# ---- by itself ----


def look(store: Store, settings: Settings) -> int:
    return sweep(store, BANKS, settings, outbox_of(settings), datetime.now(UTC))


def test_what_ended_is_copied_once_and_what_runs_is_not(store, local, tmp_path: Path) -> None:
    new_session(store, session_id="running")
    assert (look(store, local), look(store, local)) == (1, 0)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["sess_a"]


def test_an_abandoned_viva_is_copied_once_its_candidate_can_no_longer_come_back(store, local, tmp_path: Path) -> None:
    session_id = new_session(store, session_id="left")
    store.mark_abandoned(session_id)
    left_at = store.load_session(session_id).session.ended_at
    outbox, life = outbox_of(local), timedelta(seconds=RESUME_LIFE_S)
    with pytest.raises(DeliveryError, match="may come back and go on until .* UTC; archive it after"):
        copy(store, local, session_id)
    assert sweep(store, BANKS, local, outbox, left_at + life - timedelta(seconds=1)) == 1
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["sess_a"]
    assert sweep(store, BANKS, local, outbox, left_at + life) == 1
    assert (tmp_path / "kept" / "left" / "report.json").exists()


def test_a_session_that_cannot_be_copied_does_not_hold_up_the_others(store, local, tmp_path: Path, caplog) -> None:
    bad = new_session(store, session_id="bad", discipline="astrology", candidate_name="Nostradamus")
    store.finish_session(bad, completed=True)
    assert look(store, local) == 1
    assert (tmp_path / "kept" / "sess_a" / "report.pdf").exists()
    assert "bad" in caplog.text and "Nostradamus" not in caplog.text


def test_deleting_a_session_deletes_its_copy_at_the_next_look(store, local, tmp_path: Path) -> None:
    look(store, local)
    store.delete_session("sess_a")
    off = configured(store.settings.data_dir)
    assert forget_deleted(store, off, outbox_of(off)) == 0  # while the archive is off, what lies in it is not forgotten
    assert forget_deleted(store, local, outbox_of(local)) == 1
    assert list((tmp_path / "kept").iterdir()) == [] and outbox_of(local).rows() == []


def test_what_is_published_is_copied_anew_with_the_marks_of_that_moment(store, local, tmp_path: Path) -> None:
    store.hide_results(["sess_a"], actor="tutor")
    assert look(store, local) == 1
    store.override_mark("sess_a", 1, actor="tutor", reason="heard another word", verdict="correct", points=10)
    assert look(store, local) == 0
    store.publish_results(["sess_a"], actor="tutor")
    assert (look(store, local), look(store, local)) == (1, 0)
    assert json.loads((tmp_path / "kept" / "sess_a" / "report.json").read_text())["score"] == 10


def test_the_worker_looks_again_and_again_until_it_is_stopped(store, local, tmp_path: Path) -> None:
    worker = DeliveryWorker(store, BANKS, local, interval_s=0.05)
    worker.start()
    for _ in range(1200):
        if [row.state for row in outbox_of(local).rows("archive")] == ["sent"]:
            break
        worker._stop.wait(0.05)
    worker.stop()
    assert not worker._thread.is_alive()
    assert (tmp_path / "kept" / "sess_a" / "recording.flac").exists()


# ---- on the command line ----


def test_the_commands_try_copy_and_list(store, local, monkeypatch) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(store.settings.data_dir))
    monkeypatch.setenv("VIVA_ARCHIVE_URL", str(local.archive_url))
    run = CliRunner().invoke
    assert "took a test file" in run(viva, ["deliver", "test", "archive"]).output
    assert "recording.flac" in run(viva, ["deliver", "archive", "sess_a"]).output
    assert "archive  sess_a  sent" in run(viva, ["deliver", "list"]).output
    assert run(viva, ["deliver", "release", "none"]).exit_code == 2
    off = run(viva, ["deliver", "test", "lti"])
    assert off.exit_code == 2


def test_the_command_makes_a_key_and_prints_its_public_half(tmp_path: Path) -> None:
    made = CliRunner().invoke(viva, ["deliver", "keys", "--new", str(tmp_path / "key.pem")])
    keys = json.loads(made.stdout)["keys"]
    assert [(key["kty"], key["use"], "d" in key) for key in keys] == [("RSA", "sig", False)]
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    assert CliRunner().invoke(viva, ["deliver", "keys", "--new", str(tmp_path / "key.pem")]).exit_code == 2
