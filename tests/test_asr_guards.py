"""What the recogniser believes and what it refuses, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from workbench.engines.base import SAMPLE_RATE_HZ, Word
from workbench.engines.whisper_decoding import FULL, LADDER, LONGER, SHORT, Padding, Recogniser, is_invented
from workbench.engines.whisper_guards import Hypothesis, loops, token_limit, unsupported_terms
from workbench.engines.whisper_words import attach_punctuation, tame_long_words

STRIPE = "A thin stripe runs down the middle."


@pytest.mark.parametrize(
    "text",
    [
        f"{STRIPE} {STRIPE} A thin stripe runs",
        "yes, yes, yes, yes, yes, yes, yes, yes, yes,",
        "of the city of the city of the city of the city of the",
        "I think that the the the the the the the the the",
        "12.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5.5",
    ],
)
def test_a_loop_is_noticed(text: str) -> None:
    assert loops(text, audio_s=2.6)


@pytest.mark.parametrize(
    "text",
    [
        STRIPE,
        "No, no, no, I would not give beta blockers.",
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
        "very very very very rare",
        "",
    ],
)
def test_what_a_speaker_may_repeat_is_no_loop(text: str) -> None:
    assert not loops(text, audio_s=9.0)


def test_a_sentence_said_twice_is_a_loop_only_when_there_was_no_time_for_it() -> None:
    assert loops(f"{STRIPE} {STRIPE}", audio_s=2.5)
    assert not loops(f"{STRIPE} {STRIPE}", audio_s=5.5)


def test_the_token_limit_grows_with_the_sound() -> None:
    assert token_limit(0.3) < token_limit(3) < token_limit(16) < 150


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "invented"),
    [
        ("Thank you.", -0.62, 0.80, True),  # noise, padded encoder
        ("Thank you.", -0.83, 0.83, True),  # noise, short encoder
        ("You", -1.44, 0.74, True),  # breath
        ("I'm gonna be right back.", -1.75, 0.77, True),
        ("...", -0.40, 0.10, True),
        ("Thank you.", -0.20, 0.12, False),  # said
        ("Thank you.", -0.27, 0.30, False),  # said in noise at 5 dB
        ("Yes.", -0.49, 0.37, False),
        ("Stop.", -0.87, 0.33, False),
        ("tearth in sheet from the yellow pan.", -0.43, 0.03, False),
    ],
)
def test_scores_measured_on_noise_are_refused_and_those_of_speech_believed(
    text: str, logprob: float, no_speech: float, invented: bool
) -> None:
    assert is_invented(Hypothesis(text, (1, 2), logprob, no_speech)) is invented


def test_a_term_that_corrects_a_word_that_sounds_alike_is_kept() -> None:
    biased, free = "Give ticagrelor, and heparin.", "Give ticker griller and heparin."
    assert not unsupported_terms(biased, free, ["ticagrelor", "bisoprolol"])


def test_a_term_nothing_in_the_sound_stands_for_is_refused() -> None:
    assert unsupported_terms("Bisoprolol, ticagrelor.", "I do not know.", ["bisoprolol", "ticagrelor"])
    assert unsupported_terms("I do not know bisoprolol", "I do not know", ["bisoprolol"])


def test_a_term_both_decodings_heard_is_kept() -> None:
    assert not unsupported_terms("It is pericarditis.", "it is pericarditis", ["pericarditis"])


def test_punctuation_sits_on_its_word() -> None:
    words = [
        Word(" chest", 0, 1, 1),
        Word(" pain", 1, 2, 1),
        Word(",", 2, 2, 1),
        Word(' "', 2, 2, 1),
        Word("ST", 2, 3, 1),
    ]
    assert [word.text for word in attach_punctuation(words)] == ["chest", "pain,", '"ST']


def test_a_word_that_swallowed_a_pause_is_made_short_again() -> None:
    first, second = tame_long_words([Word("so", 0.0, 4.0, 1), Word("then", 4.0, 9.0, 1)])
    assert first.end_s == 4.0 and first.start_s > 2.0
    assert second.start_s == 4.0 and second.end_s < 6.0


class ScriptedDecoder:
    """Says for each padding what the script says; notes what it was asked."""

    def __init__(self, **script: Hypothesis) -> None:
        self.script = script
        self.encoded: list[str] = []
        self.prompts: list[tuple[int, ...]] = []

    def encode(self, samples: Any, padding: Padding) -> str:
        self.encoded.append(padding.name)
        return {SHORT.name: "short", LONGER.name: "longer", FULL.name: "full"}[padding.name]

    def decode(self, states: str, prompt: Sequence[int], limit: int) -> Hypothesis:
        self.prompts.append(tuple(prompt))
        return self.script[f"{states}_free" if not prompt and f"{states}_free" in self.script else states]

    def align(self, states: str, tokens: Sequence[int], audio_s: float) -> list[Word]:
        return [Word(states, 0.0, audio_s, 0.9)]

    def prompt_tokens(self, text: str) -> list[int]:
        return [ord(letter) for letter in text][:10]


def clip(seconds: float = 2.5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


GOOD = Hypothesis(STRIPE, (1, 2, 3), -0.05, 0.01)
LOOP = Hypothesis(f"{STRIPE} {STRIPE} {STRIPE}", (1, 2, 3) * 9, -0.05, 0.01, cut_off=True)
DOUBTFUL = Hypothesis("A fin strife.", (1, 2), -0.8, 0.05)


def test_a_sure_text_costs_one_short_encoding() -> None:
    decoder = ScriptedDecoder(short=GOOD)
    assert Recogniser(decoder).recognise(clip()).text == STRIPE
    assert decoder.encoded == [SHORT.name]


def test_a_loop_is_decoded_again_with_more_padding() -> None:
    decoder = ScriptedDecoder(short=LOOP, longer=GOOD)
    transcript = Recogniser(decoder).recognise(clip())
    assert (transcript.text, transcript.gave_up) == (STRIPE, None)
    assert decoder.encoded == [SHORT.name, LONGER.name]


def test_a_loop_that_no_padding_ends_is_given_up_honestly() -> None:
    decoder = ScriptedDecoder(short=LOOP, longer=LOOP, full=LOOP)
    transcript = Recogniser(decoder).recognise(clip(), with_words=True)
    assert (transcript.text, transcript.words, transcript.confidence) == ("", (), 0.0)
    assert transcript.gave_up == "repetition"
    assert decoder.encoded == [padding.name for padding in LADDER]


def test_a_doubtful_text_is_replaced_only_by_a_likelier_one() -> None:
    better = Hypothesis(STRIPE, (1,), -0.6, 0.01)
    assert Recogniser(ScriptedDecoder(short=DOUBTFUL, longer=better, full=DOUBTFUL)).recognise(clip()).text == STRIPE


def test_a_draft_never_waits_for_the_thirty_second_encoder() -> None:
    decoder = ScriptedDecoder(short=LOOP, longer=LOOP, full=GOOD)
    assert Recogniser(decoder).recognise(clip(), draft=True).text == ""
    assert FULL.name not in decoder.encoded


def test_a_draft_is_not_taken_for_the_final_text() -> None:
    decoder = ScriptedDecoder(short=DOUBTFUL, longer=GOOD)
    recogniser = Recogniser(decoder)
    assert recogniser.recognise(clip(), draft=True).text == DOUBTFUL.text
    assert recogniser.recognise(clip()).text == STRIPE


def test_the_same_clip_is_not_decoded_twice() -> None:
    decoder = ScriptedDecoder(short=GOOD)
    recogniser = Recogniser(decoder)
    recogniser.recognise(clip())
    recogniser.recognise(clip(), draft=True)
    assert len(decoder.encoded) == 1
    recogniser.recognise(clip(), with_words=True)
    assert len(decoder.encoded) == 2


def test_a_growing_answer_pays_only_for_its_last_window() -> None:
    decoder = ScriptedDecoder(short=GOOD)
    recogniser = Recogniser(decoder)
    answer = np.concatenate(
        [clip(10, 1), np.zeros(9000, np.float32), clip(10, 2), np.zeros(9000, np.float32), clip(10, 3)]
    )
    recogniser.recognise(answer[: 30 * SAMPLE_RATE_HZ], draft=True)
    before = len(decoder.encoded)
    recogniser.recognise(answer)
    assert before == 3 and len(decoder.encoded) == before + 1


def test_silence_asks_no_model() -> None:
    decoder = ScriptedDecoder()
    transcript = Recogniser(decoder).recognise(np.zeros(SAMPLE_RATE_HZ, np.float32))
    assert (transcript.text, transcript.gave_up, decoder.encoded) == ("", None, [])


def test_terms_that_are_only_echoed_give_way_to_the_unbiased_text() -> None:
    echo = Hypothesis("Bisoprolol, ticagrelor.", (1, 2), -0.1, 0.05)
    decoder = ScriptedDecoder(short=echo, short_free=Hypothesis("I do not know.", (3,), -0.1, 0.05))
    transcript = Recogniser(decoder).recognise(clip(), key_terms=["bisoprolol", "ticagrelor"])
    assert transcript.text == "I do not know."


def test_a_text_without_key_terms_is_decoded_once() -> None:
    decoder = ScriptedDecoder(short=GOOD)
    Recogniser(decoder).recognise(clip(), key_terms=["bisoprolol"])
    assert len(decoder.prompts) == 1 and decoder.prompts[0]


def test_work_nobody_waits_for_stops_between_steps() -> None:
    class Gone(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise Gone

    with pytest.raises(Gone):
        Recogniser(ScriptedDecoder(short=LOOP, longer=LOOP, full=LOOP)).recognise(clip(), check=check)


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_broken_samples_do_not_break_the_recogniser(fault: float) -> None:
    broken = clip()
    broken[100] = fault
    assert Recogniser(ScriptedDecoder(short=GOOD)).recognise(broken).text == STRIPE
