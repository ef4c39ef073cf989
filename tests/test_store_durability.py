"""A killed process loses nothing it said was saved, and less than a second of sound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store_helpers import store_at
from workbench.store.recorder import Recorder
from workbench.store.recordings import open_recording

ROOT = Path(__file__).parent.parent

SAVE_UNTIL_KILLED = """
import sys
from pathlib import Path
from tests.store_helpers import mark, store_at
from workbench.exam.model import SaveAnswer

store = store_at(Path(sys.argv[1]))
session = store.create_session(discipline="medical", mode="exam", seed=1, candidate_name="Ada", session_id="s1")
number = 0
while True:
    number += 1
    saved = SaveAnswer(f"q{number}", number, f"answer {number} " + "word " * 200, typed=False, probe=False)
    store.commit_turn("s1", f"state {number}", at_s=number, answers=[saved], marks=[(number, mark(5.0), True)])
    print(number, flush=True)
"""

RECORD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from workbench.store.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]))
sent = 0
recorder.write_examiner(np.full(16_000 * 30, 0.5, np.float32), 0)
while True:
    # real time in 20 ms pieces: what a live candidate sends
    recorder.write_candidate(np.full(320, 0.25, np.float32))
    sent += 320
    print(sent, flush=True)
    time.sleep(0.02)
"""


def kill_after(code: str, argument: Path, until: int) -> int:
    """Runs the code, kills it with SIGKILL once it printed a number >= `until`; returns the last number it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(argument)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    last = 0
    for line in process.stdout:
        last = int(line)
        if last >= until:
            os.kill(process.pid, signal.SIGKILL)
            break
    for line in process.stdout:
        if line.endswith("\n"):
            last = int(line)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return last


@pytest.mark.parametrize("until", [1, 7, 40])
def test_every_answer_that_was_acknowledged_survives_kill_9(tmp_path: Path, until: int):
    last = kill_after(SAVE_UNTIL_KILLED, tmp_path, until)
    store = store_at(tmp_path)
    data = store.load_session("s1")
    # one more may have been saved whose acknowledgement was never read
    assert len(data.answers) in (last, last + 1)
    assert [row.number for row in data.answers] == list(range(1, len(data.answers) + 1))
    assert len(data.marks) == len(data.answers)
    assert (data.state, data.state_revision) == (f"state {len(data.answers)}", len(data.answers))
    assert data.session.status == "running"
    store.close()


def test_a_viva_killed_in_question_7_goes_on_with_six_marks(tmp_path: Path):
    last = kill_after(SAVE_UNTIL_KILLED, tmp_path, 6)
    store = store_at(tmp_path)
    before = len(store.load_session("s1").marks)
    assert before >= 6 and before >= last
    assert store.mark_abandoned("s1").status == "abandoned"
    assert store.reopen("s1").status == "running"
    assert store.save_state("s1", "resumed") == before + 1
    assert store.finish_session("s1", completed=True).score == 5.0 * before
    store.close()


def test_a_recording_is_readable_to_within_a_second_of_kill_9(tmp_path: Path):
    path = tmp_path / "s1.wav"
    sent = kill_after(RECORD_UNTIL_KILLED, path, 16_000 * 3)
    recording = open_recording(path)
    assert sent - 16_000 <= recording.n_samples <= sent + 320
    sound = recording.read()
    assert (sound == [0.25, 0.5]).all()
    # and it is gone on with
    recorder = Recorder(path)
    assert recorder.n_samples == recording.n_samples
    final = recorder.close()
    assert final is not None and open_recording(final).n_samples == recording.n_samples
