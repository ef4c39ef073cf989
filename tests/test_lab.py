"""What the notebooks open: the sample, or the vivas of a database; what is lacking is said with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pandas as pd
import pytest

from workbench import lab
from workbench.exam.bank import load_banks
from workbench.ports import free_port
from workbench.transcripts import Transcripts


def test_a_checkout_is_found_from_a_folder_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    for folder in (root, root / "notebooks", root / "tests"):
        monkeypatch.chdir(folder)
        assert lab.checkout() == root


def test_without_a_sample_the_message_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIVA_DATABASE_URL", raising=False)
    monkeypatch.setattr(lab, "SAMPLE", tmp_path / "nothing")
    for ask in (lab.transcripts, lab.truth):
        with pytest.raises(lab.LabError, match="make sample makes it, or set VIVA_DATABASE_URL"):
            ask()


def test_real_vivas_have_no_known_truth_and_are_cited_as_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVA_DATABASE_URL", "sqlite:///elsewhere.sqlite3")
    assert lab.truth() is None
    assert "Data: own vivas." in lab.cite("3 (turn-taking)")


def test_jupyterlab_starts_on_the_readme_of_the_notebooks() -> None:
    pytest.importorskip("jupyterlab")
    command = lab.command()
    assert command[1:3] == ["-m", "jupyterlab"] and command[-1].endswith("/README.md")


def test_viva_lab_serves_the_notebooks_and_hands_its_other_options_on(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab")
    port = free_port()
    words = ["--no-browser", f"--port={port}", "--allow-root", "--IdentityProvider.token=mine"]
    log = (tmp_path / "lab.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", "lab", *words],
        stdout=log, stderr=log, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "token mine"}) as client:
            for _ in range(120):
                try:
                    found = client.get("/api/contents").raise_for_status().json()
                    break
                except httpx.TransportError:
                    assert process.poll() is None, (tmp_path / "lab.log").read_text()
                    time.sleep(0.5)
            names = {entry["name"] for entry in found["content"]}
            assert "README.md" in names and sum(name.endswith(".ipynb") for name in names) == 8
            assert (
                client.get("/").headers["location"].startswith(lab.START) and client.get(lab.START).status_code == 200
            )
        assert httpx.get(f"http://127.0.0.1:{port}/api/contents").status_code == 403
    finally:
        process.terminate()
        process.wait(20)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/api/contents")


def test_stages_of_turns_that_were_cut_off_or_canned_are_left_out() -> None:
    latency = {"endpoint_ms": 500.0, "asr_ms": 180.0, "sent_ms": 530.0, "made_for_answer": True}
    turn = {"cut_off": False, "voice_to_voice_ms": 590.0, "latency": latency}
    canned = {**turn, "latency": {**latency, "made_for_answer": False}}
    found = lab.latency_stages([turn, canned, {**turn, "cut_off": True}])
    assert found["heard_ms"].tolist() == [590.0] and found["llm_first_ms"].isna().all()


def test_an_answer_is_marked_as_it_was_heard_and_as_it_was_said() -> None:
    banks = load_banks(None)
    question = banks["medical"].area("cardiology").questions[0]
    said = " ".join(point.text for point in question.key_points)
    heard = " ".join("something" if place % 2 else word for place, word in enumerate(said.split()))
    session = pd.DataFrame(
        {"session_id": ["s"], "candidate_id": "c", "discipline": "medical", "mode": "exam", "seed": 1, "n_items": 1,
         "started_at": ["2026-01-01T10:00:00Z"], "completed": True, "status": "finished", "extra_time": 1.0,
         "speaking_rate": 1.0, "typed": False, "recorded": False}
    )  # fmt: skip
    turns = pd.DataFrame(
        {"session_id": "s", "turn_index": [0, 1], "speaker": "candidate", "item_index": [1, 2], "start_s": [0.0, 9.0],
         "end_s": [8.0, 12.0], "text": [heard, "no idea"], "text_corrected": [said, None], "interrupted": False,
         "typed": False}
    )  # fmt: skip
    items = pd.DataFrame(
        {"session_id": "s", "item_index": [1, 2], "question_id": [question.id, "unknown"], "answer": [heard, "no idea"],
         "skipped": False, "typed": False, "n_probes": 0, "max_points": 10.0}
    )  # fmt: skip
    vivas = Transcripts.of({"sessions": session, "turns": turns, "items": items})
    found = lab.remarked(vivas, banks).iloc[0]
    assert len(lab.remarked(vivas, banks)) == 1
    assert found["points_said"] > found["points_heard"] and found["wer"] == pytest.approx(0.5, abs=0.05)
    assert len(lab.remarked(vivas, {})) == 0
