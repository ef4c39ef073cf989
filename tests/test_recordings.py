"""Recordings: two sides on one clock, to the sample, whatever happens to the process or the disk."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from workbench.store import recordings
from workbench.store.errors import StoreError
from workbench.store.recorder import Recorder
from workbench.store.recordings import open_recording, peaks

CANDIDATE, EXAMINER = 0, 1


def tone(n_samples: int, level: float) -> np.ndarray:
    return np.full(n_samples, level, np.float32)


def heard(path: Path, channel: int) -> np.ndarray:
    return open_recording(path).read()[:, channel]


def spans(signal: np.ndarray) -> list[tuple[int, int, float]]:
    """Stretches of equal non-zero level: (start, stop, level)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], signal, [0]])))
    return [(int(a), int(b), round(float(signal[a]), 3)) for a, b in zip(edges, edges[1:], strict=False) if signal[a]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "sess_1.wav"


def test_both_sides_lie_where_they_were_heard(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(1000, 0.25))
    recorder.write_examiner(tone(400, 0.5), 800)
    recorder.write_candidate(tone(1000, -0.25))
    final = recorder.close()
    assert final == path.with_suffix(".flac") and not path.exists()
    assert spans(heard(final, CANDIDATE)) == [(0, 1000, 0.25), (1000, 2000, -0.25)]
    assert spans(heard(final, EXAMINER)) == [(800, 1200, 0.5)]


def test_the_flac_holds_the_very_samples_that_were_written(path: Path):
    rng = np.random.default_rng(0)
    written = rng.integers(-32768, 32768, (50_000, 2))
    recorder = Recorder(path)
    recorder.write_candidate(written[:, 0].astype(np.float32) / 32768)
    recorder.write_examiner(written[:, 1].astype(np.float32) / 32768, 0)
    final = recorder.close()
    assert final is not None
    assert np.array_equal(soundfile.read(final, dtype="int16")[0], written)


def test_sound_beyond_full_scale_is_clipped_and_a_broken_sample_is_silence(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(np.array([2.0, -2.0, np.nan, np.inf, -np.inf], np.float32))
    final = recorder.close()
    assert final is not None
    assert soundfile.read(final, dtype="int16")[0][:, 0].tolist() == [32767, -32768, 0, 32767, -32768]


def test_what_was_cut_before_it_was_heard_is_not_on_the_recording(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(1000, 0.0))
    recorder.write_examiner(tone(8000, 0.5), 1000)
    recorder.write_candidate(tone(2000, 0.0))
    recorder.truncate_examiner(2500)
    recorder.write_candidate(tone(9000, 0.0))
    assert spans(heard(recorder.close(), EXAMINER)) == [(1000, 2500, 0.5)]


def wait_until_written(recorder: Recorder, n_samples: int) -> None:
    # the recorder's thread owes us a flush; polling its own file is the only sign there is
    done = threading.Event()
    for _ in range(2000):
        if recorder.path.stat().st_size >= recordings.HEADER_BYTES + n_samples * recordings.FRAME_BYTES:
            return
        done.wait(0.005)
    raise AssertionError("the recorder wrote nothing in 10 s")


def test_a_cut_that_comes_after_the_sound_is_on_disk_is_put_right_there(path: Path):
    recorder = Recorder(path, flush_s=0.01)
    recorder.write_examiner(tone(8000, 0.5), 0)
    recorder.write_candidate(tone(6000, 0.25))
    wait_until_written(recorder, 6000)
    assert spans(heard(path, EXAMINER)) == [(0, 6000, 0.5)]
    recorder.truncate_examiner(1500)
    recorder.write_candidate(tone(4000, 0.25))
    final = recorder.close()
    assert spans(heard(final, EXAMINER)) == [(0, 1500, 0.5)]
    assert spans(heard(final, CANDIDATE)) == [(0, 10000, 0.25)]


def test_examiner_sound_reported_late_still_lands_in_its_place(path: Path):
    recorder = Recorder(path, flush_s=0.01)
    recorder.write_candidate(tone(20_000, 0.25))
    wait_until_written(recorder, 20_000)
    recorder.write_examiner(tone(3000, 0.5), 18_500)
    recorder.write_candidate(tone(5000, 0.25))
    assert spans(heard(recorder.close(), EXAMINER)) == [(18_500, 21_500, 0.5)]


def test_what_the_examiner_says_after_the_candidates_last_sample_is_kept(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(100, 0.25))
    recorder.write_examiner(tone(5000, 0.5), 50)
    final = recorder.close()
    assert open_recording(final).n_samples == 5050
    assert spans(heard(final, EXAMINER)) == [(50, 5050, 0.5)]


def test_a_microphone_that_is_off_does_not_stop_the_clock(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(100, 0.25))
    recorder.pad_candidate(5000)
    recorder.pad_candidate(300)
    recorder.write_candidate(tone(100, 0.25))
    assert recorder.n_samples == 5100
    assert spans(heard(recorder.close(), CANDIDATE)) == [(0, 100, 0.25), (5000, 5100, 0.25)]


@pytest.mark.parametrize("at_sample", [-1, 61 * 16_000])
def test_examiner_sound_without_a_sensible_place_is_refused(path: Path, at_sample: int):
    recorder = Recorder(path)
    with pytest.raises(ValueError, match="outside 0 to clock"):
        recorder.write_examiner(tone(10, 0.5), at_sample)
    recorder.close()


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_of_writes_gives_the_same_samples_as_arithmetic(tmp_path_factory, data: st.DataObject):
    path = tmp_path_factory.mktemp("r") / "s.wav"
    recorder = Recorder(path, flush_s=data.draw(st.sampled_from([0.0005, 0.5])))
    expected = np.zeros((400_000, 2), np.float32)
    clock, end = 0, 0
    for step in range(data.draw(st.integers(1, 25))):
        kind = data.draw(st.sampled_from(["candidate", "examiner", "cut"]))
        level = (step + 1) / 32
        if kind == "candidate":
            n = data.draw(st.integers(0, 5000))
            recorder.write_candidate(tone(n, level))
            expected[clock : clock + n, 0] = level
            clock += n
        elif kind == "examiner":
            at = data.draw(st.integers(0, clock + 3000))
            n = data.draw(st.integers(0, 9000))
            recorder.write_examiner(tone(n, level), at)
            expected[at : at + n, 1] = level
            end = max(end, at + n)
        else:
            at = data.draw(st.integers(0, clock + 3000))
            recorder.truncate_examiner(at)
            expected[at:, 1] = 0
            end = min(end, at)
    final = recorder.close()
    assert final is not None
    assert np.array_equal(open_recording(final).read(), expected[: max(clock, end)])


def test_a_recording_is_gone_on_with_after_the_process_came_back(path: Path):
    first = Recorder(path)
    first.write_candidate(tone(3000, 0.25))
    assert first.close() == path.with_suffix(".flac")
    second = Recorder(path)
    assert second.n_samples == 3000
    second.write_examiner(tone(100, 0.5), 2950)
    second.write_candidate(tone(1000, 0.125))
    final = second.close()
    assert spans(heard(final, CANDIDATE)) == [(0, 3000, 0.25), (3000, 4000, 0.125)]
    assert spans(heard(final, EXAMINER)) == [(2950, 3050, 0.5)]
    assert [file.name for file in path.parent.iterdir()] == ["sess_1.flac"]


def test_a_recording_at_another_rate_is_not_gone_on_with(path: Path):
    Recorder(path, 8000).close()
    with pytest.raises(StoreError, match="recorded at 8000 Hz"):
        Recorder(path, 16_000)


def test_a_file_cut_in_the_middle_of_a_frame_reads_to_its_last_whole_one(path: Path):
    path.parent.mkdir()
    frames = np.arange(2000, dtype="<i2").reshape(-1, 2)
    path.write_bytes(recordings.wav_header(400, 16_000) + frames.tobytes()[:-3])
    recording = open_recording(path)
    assert (recording.n_samples, recording.rate_hz) == (999, 16_000)
    assert recordings.repair(path) == 999
    assert soundfile.info(path).frames == 999
    assert np.array_equal(soundfile.read(path, dtype="int16")[0], frames[:999])


@pytest.mark.parametrize("content", [b"", b"RIFF", b"x" * 100, b"RIFF0000WAVEfmt " + b"\x00" * 60])
def test_a_file_that_is_no_recording_is_named(path: Path, content: bytes):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError, match="sess_1.wav"):
        open_recording(path)


def test_a_full_disk_stops_the_recording_with_a_notice_and_keeps_what_there_was(path: Path, monkeypatch):
    notices: list[str] = []
    told = threading.Event()

    def notice(message: str) -> None:
        notices.append(message)
        told.set()

    recorder = Recorder(path, flush_s=0.01, on_problem=notice)
    recorder.write_candidate(tone(1000, 0.25))
    wait_until_written(recorder, 1000)
    real = os.pwrite

    def full(file: int, data: bytes, place: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    recorder.write_candidate(tone(1000, 0.25))
    assert told.wait(10)
    monkeypatch.setattr(os, "pwrite", real)
    for _ in range(3):
        recorder.write_candidate(tone(1000, 0.25))
        recorder.write_examiner(tone(1000, 0.25), 0)
        recorder.truncate_examiner(0)
    final = recorder.close()
    assert notices == ["recording stopped, the viva goes on: No space left on device"]
    assert open_recording(final).n_samples == 1000


def test_a_disk_too_full_for_the_flac_keeps_the_wav(path: Path, monkeypatch):
    recorder = Recorder(path)
    recorder.write_candidate(tone(1000, 0.25))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "write", full)
    assert recorder.close() == path
    assert open_recording(path).n_samples == 1000
    assert [file.name for file in path.parent.iterdir()] == ["sess_1.wav"]


def test_a_recording_deleted_while_it_runs_does_not_come_back(path: Path):
    recorder = Recorder(path, flush_s=0.01)
    recorder.write_candidate(tone(1000, 0.25))
    wait_until_written(recorder, 1000)
    assert recordings.remove(path.parent, "sess_1") == 1
    recorder.write_candidate(tone(1000, 0.25))
    assert recorder.close() is None
    assert list(path.parent.iterdir()) == []


def test_closing_twice_is_harmless(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(10, 0.5))
    assert recorder.close() == recorder.close() == path.with_suffix(".flac")


def test_only_the_owner_may_read_a_recording(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(10, 0.5))
    final = recorder.close()
    assert final is not None
    assert (path.parent.stat().st_mode & 0o077, final.stat().st_mode & 0o077) == (0, 0)


def test_peaks_are_the_largest_magnitudes_of_equal_stretches(path: Path):
    recorder = Recorder(path)
    signal = np.zeros(1000, np.float32)
    signal[[10, 499, 999]] = [0.25, -0.5, 0.75]
    recorder.write_candidate(signal)
    recorder.write_examiner(tone(10, 0.125), 300)
    final = recorder.close()
    assert final is not None
    drawn = peaks(final, 4)
    assert drawn.shape == (2, 4)
    assert drawn.tolist() == [[0.25, 0.5, 0.0, 0.75], [0.0, 0.125, 0.0, 0.0]]


def test_peaks_of_fewer_samples_than_stretches_leave_gaps(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(tone(2, 0.5))
    final = recorder.close()
    assert final is not None
    assert peaks(final, 8)[0].tolist() == [0.5, 0, 0, 0, 0.5, 0, 0, 0]


def test_an_empty_recording_has_no_peaks_and_no_length(path: Path):
    final = Recorder(path).close()
    assert final is not None
    assert open_recording(final).duration_s == 0.0
    assert not peaks(final, 3).any()


def test_a_stretch_in_the_middle_can_be_read_from_both_kinds_of_file(path: Path):
    recorder = Recorder(path)
    recorder.write_candidate(np.linspace(0, 0.9, 5000, dtype=np.float32))
    final = recorder.close()
    assert final is not None
    whole = open_recording(final).read()

    def check(file: Path) -> None:
        recording = open_recording(file)
        assert np.array_equal(recording.read(1000, 1500), whole[1000:1500])
        assert recording.read(4990, 9999).shape == (10, 2)
        assert recording.read(6000, 7000).shape == (0, 2)

    check(final)
    check(recordings.to_wav(final))
