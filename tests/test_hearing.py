"""Marked answers spoken and heard: what is drawn, how noise is mixed, what is kept, what hearing costs a judge."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from finetune.answers import Marked, exemplars
from finetune.heard import HEARD, Pair, band_of, compare, pairs
from finetune.heard import marked as twice
from finetune.hearing import Heard, Hearings, answer_id, hear_all, key_of, read_rows, share_of, words_of
from finetune.speaking import AFTER_S, BEFORE_S, PLACES, SETTLE_S, SPEAKERS, drawn, in_place, speak
from finetune.word_errors import word_error_rate
from tests.scripted_engines import ScriptedTranscriber, Vocabulary
from workbench.engines.base import SAMPLE_RATE_HZ, Samples, Transcript, Word
from workbench.exam.items import KeyPoint, Question
from workbench.exam.model import Evaluation, Verdict
from workbench.realtime.drafts import FIX_AFTER_S
from workbench.realtime.listening import AFTER_S as HEARD_AFTER_S
from workbench.realtime.listening import BEFORE_S as HEARD_BEFORE_S
from workbench.settings import Settings
from workbench.simulate.sound import Clip
from workbench.simulate.voices import Studio

NAMES = ("scripted", "scripted")


def marked(text: str, verdict: Verdict = "correct", question_id: str = "q", terms: tuple[str, ...] = ()) -> Marked:
    points = {"correct": 10.0, "partial": 5.0, "incorrect": 0.0}[verdict]
    question = Question(
        question_id, "Which drug?", (KeyPoint("a", "Aspirin.", 1.0, ("aspirin",)),), "Aspirin.", 1, "remember", ("x",),
        terms,
    )  # fmt: skip
    return Marked(question, "A man has chest pain.", "medical", "cardiology", text, verdict, points)


def tone(seconds: float) -> Clip:
    times = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return Clip.of((0.3 * np.sin(2 * np.pi * 300 * times)).astype(np.float32), "tone")


def hiss(seconds: float = 3.0) -> Samples:
    return np.random.default_rng(1).normal(0, 0.1, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


# ---- speaking


def test_the_same_words_are_always_spoken_alike_and_all_voices_and_places_get_their_share():
    answers = [f"answer number {n}" for n in range(400)]
    assert [drawn(text) for text in answers] == [drawn(f"  {text}\n") for text in answers]
    assert [drawn(text, seed=1) for text in answers] != [drawn(text) for text in answers]
    voices = Counter(drawn(text)[0].name for text in answers)
    both = Counter((drawn(text)[0].name, drawn(text)[1].name) for text in answers)
    assert len(voices) == len(SPEAKERS) and min(voices.values()) > 70
    assert len(both) == len(SPEAKERS) * len(PLACES)


@pytest.mark.parametrize("snr_db", [20.0, 10.0])
def test_the_noise_is_as_far_below_the_voice_as_the_place_says(snr_db: float):
    none = np.zeros(0, np.float32)
    clean = in_place([tone(2.0)], none, np.zeros(100, np.float32), snr_db, 0.0).samples
    mixed = in_place([tone(2.0)], none, hiss(), snr_db, 0.3).samples
    voiced = slice(int(0.3 * SAMPLE_RATE_HZ), int(2.1 * SAMPLE_RATE_HZ))
    noise = mixed[voiced] - clean[voiced]
    ratio = 10 * np.log10(np.mean(clean[voiced] ** 2) / np.mean(noise**2))
    assert ratio == pytest.approx(snr_db, abs=0.3)
    assert np.abs(mixed).max() <= 1.0


def test_a_long_answer_is_recognised_in_the_stretches_a_conversation_settles():
    spoken = in_place([tone(5.0)] * 4, np.zeros(0, np.float32), hiss(), 20.0, 0.0)
    lengths = [(end - start) / SAMPLE_RATE_HZ for start, end in spoken.stretches]
    assert len(lengths) == 2 and all(length > SETTLE_S for length in lengths)
    assert spoken.stretches[0][0] == 0
    overlap_s = (spoken.stretches[0][1] - spoken.stretches[1][0]) / SAMPLE_RATE_HZ
    assert overlap_s == pytest.approx(BEFORE_S + AFTER_S, abs=1e-3)
    assert spoken.stretches[-1][1] <= len(spoken.samples)


def test_what_is_recognised_at_a_time_is_cut_as_a_conversation_cuts_it():
    assert (SETTLE_S, BEFORE_S, AFTER_S) == (FIX_AFTER_S, HEARD_BEFORE_S, HEARD_AFTER_S)


# ---- hearing


class ToneVoice:
    """Speaks a phrase as the tone the scripted recogniser knows it by."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.spoken = 0

    async def speak(self, text: str, **manner: Any) -> AsyncGenerator[Samples, None]:
        self.spoken += 1
        yield self.vocabulary.spoken(text, 1.0)

    async def close(self) -> None:
        pass


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Noises and rooms that change nothing, so that tones stay what they are."""
    directory = tmp_path / "speech"
    delta = np.zeros(1600, np.float32)
    delta[0] = 1.0
    for place in PLACES:
        for name, sound in ((place.noise, np.zeros(1600, np.float32)), (place.room, delta)):
            if name:
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(directory / name, sound, SAMPLE_RATE_HZ)
    return directory


class Bench:
    """A voice, an ear and a place for both, all scripted."""

    def __init__(self, root: Path, corpus: Path) -> None:
        vocabulary = Vocabulary()
        self.voice = ToneVoice(vocabulary)
        self.ear = ScriptedTranscriber(vocabulary)
        self.studio = Studio(Settings(_env_file=None, models_dir=root / "cache" / "models"), self.voice)  # type: ignore[call-arg]
        self.corpus = corpus

    def hear(self, answers: list[Marked], kept: Hearings) -> list[Heard]:
        async def run() -> list[Heard]:
            heard = hear_all(answers, kept, self.studio, self.ear, self.corpus, names=NAMES)
            return [row async for row in heard]

        return asyncio.run(run())


@pytest.fixture
def bench(tmp_path: Path, corpus: Path) -> Bench:
    return Bench(tmp_path, corpus)


ANSWERS = [marked("First sentence. Second sentence."), marked("Third sentence.", "incorrect")]


def test_every_sentence_of_an_answer_is_heard_in_its_order(bench: Bench, tmp_path: Path):
    rows = bench.hear(ANSWERS, Hearings(tmp_path / "heard.jsonl"))
    assert [row.text for row in rows] == ["First sentence. Second sentence.", "Third sentence."]
    assert [row.wer for row in rows] == [0.0, 0.0]
    assert [len(row.probabilities) for row in rows] == [4, 2]
    assert all(row.confidence == 0.9 for row in rows)
    assert rows[0].id == answer_id("q", ANSWERS[0].text)


def test_a_second_run_hears_only_what_is_new(bench: Bench, tmp_path: Path):
    path = tmp_path / "heard.jsonl"
    first = bench.hear(ANSWERS[:1], Hearings(path))
    calls = bench.ear.calls
    again = bench.hear(ANSWERS, Hearings(path))
    assert again[:1] == first and bench.ear.calls == calls + 1
    assert bench.hear(ANSWERS, Hearings(path)) == again and bench.ear.calls == calls + 1


def test_other_key_terms_another_recogniser_or_another_seed_are_another_hearing():
    keys = {
        key_of(ANSWERS[0], 0, "tiny.en", "joe"),
        key_of(marked(ANSWERS[0].text, terms=("aspirin",)), 0, "tiny.en", "joe"),
        key_of(ANSWERS[0], 0, "base.en", "joe"),
        key_of(ANSWERS[0], 1, "tiny.en", "joe"),
    }
    assert len(keys) == 4


def test_a_line_half_written_by_a_killed_run_costs_that_line_alone(bench: Bench, tmp_path: Path):
    path = tmp_path / "heard.jsonl"
    rows = bench.hear(ANSWERS, Hearings(path))
    path.write_text(path.read_text()[:-40])
    assert len(Hearings(path)) == 1
    assert bench.hear(ANSWERS, Hearings(path)) == rows
    assert len(Hearings(path)) == 2


def test_a_line_that_is_no_hearing_is_named_with_what_writes_one(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "q:1"}\n')
    with pytest.raises(ValueError, match=r"rows.jsonl:1 .*viva-finetune hear"):
        read_rows(path)


def test_an_answer_without_a_word_in_it_cannot_be_spoken(bench: Bench):
    with pytest.raises(ValueError, match="nothing to say"):
        asyncio.run(speak(bench.studio, " ... ", bench.corpus))


def test_a_larger_share_holds_every_answer_of_a_smaller_one():
    answers = [marked(f"answer number {n}") for n in range(200)]
    quarter, half = share_of(answers, 0.25), share_of(answers, 0.5)
    assert {a.text for a in quarter} < {a.text for a in half}
    assert 30 < len(quarter) < 70 < len(half) < 130 and share_of(answers, 1.0) == answers
    with pytest.raises(ValueError, match="above 0 and at most at 1, got 1.5"):
        share_of(answers, 1.5)


def test_every_piece_of_the_text_has_one_probability_and_joined_pieces_that_of_their_worst():
    words = (Word("beta", 0, 1, 0.9), Word("-blocker,", 1, 2, 0.4), Word("300", 2, 3, 0.8))
    pieces = words_of(Transcript("beta-blocker, 300 mg", words, confidence=0.7))
    assert [(word.text, word.probability) for word in pieces] == [("beta-blocker,", 0.4), ("300", 0.8), ("mg", 0.7)]


def test_spelling_numbers_and_fillers_are_no_word_errors():
    said = "Um, the haemoglobin is twelve, and I'd give three hundred milligrams."
    assert word_error_rate(said, "the hemoglobin is 12 and I would give 300 milligrams") == 0
    assert word_error_rate("give the man aspirin", "give a man") == 0.5
    assert word_error_rate("", "") == 0 and word_error_rate("", "thank you") == 2


@pytest.mark.weights
def test_the_embedded_voice_in_noise_is_understood_by_the_embedded_recogniser(shared_dir: Path, tmp_path: Path):
    from workbench.engines.registry import create

    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    studio = Studio(settings)
    studio.cache_dir = tmp_path
    answer = marked("I would give him three hundred milligrams of aspirin and call the cardiologist at once.")

    async def run() -> Heard:
        ear = create("asr", "faster-whisper", settings)
        kept = Hearings(tmp_path / "heard.jsonl")
        [row] = [r async for r in hear_all([answer], kept, studio, ear, shared_dir / "speech", names=NAMES)]
        await ear.close()
        await studio.close()
        return row

    row = asyncio.run(run())
    assert row.wer < 0.35
    assert len(row.probabilities) == len(row.text.split()) and 0.3 < row.confidence <= 1


# ---- typed beside heard


class WrittenJudge:
    """Gives the verdict a test wrote down for a text."""

    name = "written"

    def __init__(self, verdicts: dict[str, Verdict]) -> None:
        self.verdicts = verdicts

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        verdict = self.verdicts[answer]
        points = {"correct": 10.0, "partial": 5.0, "incorrect": 0.0}[verdict]
        return Evaluation(question.id, verdict, points, (), recognition_confidence, self.name)


def pair(n: int, verdict: Verdict, heard: str, wer: float = 0.0, confidence: float = 0.9) -> Pair:
    typed = marked(f"typed {n}", verdict, question_id=f"q{n % 7}")
    hearing = Heard(
        answer_id(typed.question.id, typed.text), str(n), typed.question.id, "even", "office", 20.0, 5.0, heard,
        confidence, (0.9,) * len(heard.split()), wer,
    )  # fmt: skip
    return Pair(typed, hearing)


def test_a_judge_that_misjudges_every_fourth_heard_answer_loses_what_it_should():
    verdicts: tuple[Verdict, ...] = ("correct", "partial", "incorrect")
    given = []
    answers: dict[str, Verdict] = {}
    for n in range(120):
        true = verdicts[n % 3]
        lost = n % 4 == 0
        given.append(pair(n, true, f"heard {n}", wer=0.3 if lost else 0.0, confidence=0.5 if lost else 0.9))
        answers[f"typed {n}"] = true
        answers[f"heard {n}"] = "incorrect" if lost else true
    found = compare(given, list(twice(WrittenJudge(answers), given)))
    assert found["typed"]["macro_f1"]["value"] == 1
    difference = found["difference"]["macro_f1"]
    assert difference["value"] == pytest.approx(found["heard"]["macro_f1"]["value"] - 1, abs=1e-4)
    assert difference["low"] < difference["value"] < difference["high"] < 0
    assert found["verdicts_lowered_by_hearing"] == 20 and found["verdicts_raised_by_hearing"] == 0
    assert found["by_word_error_rate"]["0"]["same_verdict"] == 1
    assert found["by_word_error_rate"]["above 0.2"]["n"] == 30
    assert found["moderation"]["heard"]["wrong_ones_caught"] == 1
    assert found["moderation"]["heard"]["macro_f1_of_the_rest"] == 1


def test_hearing_that_makes_a_wrong_answer_right_is_counted():
    given = [pair(0, "incorrect", "heard 0"), pair(1, "correct", "heard 1"), pair(2, "partial", "heard 2")]
    answers: dict[str, Verdict] = {
        "typed 0": "incorrect", "heard 0": "correct", "typed 1": "correct", "heard 1": "correct",
        "typed 2": "incorrect", "heard 2": "partial",
    }  # fmt: skip
    found = compare(given, list(twice(WrittenJudge(answers), given)))
    assert found["verdicts_raised_by_hearing"] == 2
    assert found["raised_above_the_examiner_by_hearing"] == 1


@pytest.mark.parametrize(
    ("wer", "band"), [(0.0, "0"), (0.03, "above 0 to 0.05"), (0.1, "above 0.05 to 0.1"), (1.2, "above 0.2")]
)
def test_word_error_rates_fall_into_bands(wer: float, band: str):
    assert band_of(wer) == band


def test_a_file_without_a_hearing_of_the_half_says_how_to_make_one(tmp_path: Path):
    path = tmp_path / "heard.jsonl"
    path.write_text(json.dumps({**pair(0, "correct", "x").hearing.__dict__}) + "\n")
    with pytest.raises(ValueError, match="1 hearings, none of an exemplar of the half 'held-out'.*hear --half"):
        pairs(path)


# ---- what comes with the repository


def test_the_committed_hearings_are_of_exemplars_as_the_banks_have_them_and_of_every_voice_and_place():
    rows = read_rows(HEARD)
    known = {answer_id(answer.question.id, answer.text) for answer in exemplars("all")}
    stale = [row.id for row in rows if row.id not in known]
    assert len(stale) <= 0.05 * len(rows), f"run `viva-finetune hear` anew: {len(stale)} texts have changed"
    assert len({row.id for row in rows}) == len(rows) and all(0 <= row.confidence <= 1 for row in rows)
    assert all(len(row.probabilities) == len(row.text.split()) for row in rows)
    held_out = [pair.hearing for pair in pairs(HEARD, "held-out")]
    voices = Counter(row.voice for row in held_out)
    assert len(voices) == len(SPEAKERS) and min(voices.values()) > 0.15 * len(held_out)
    assert {(row.place, row.snr_db) for row in held_out} == {(place.name, place.snr_db) for place in PLACES}
