"""Fast Whisper that stays honest: a short encoder first, guards on what it says, the padded encoder when in doubt.

Whisper pads every clip to 30 s, and most of its time goes into encoding that silence. Encoding the clip alone is many
times faster, but the decoder then finds no silence behind the words, does not see that the text is over, and loops.
So the clip is encoded with a second of padding, and states of silence, computed once, are put behind it: the decoder
sees an end, and nobody paid for it. What the guards still refuse is decoded again with more and more real padding.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from workbench.engines.base import SAMPLE_RATE_HZ, Samples, Transcript, Word
from workbench.engines.whisper_guards import (
    Hypothesis,
    is_filler,
    listen,
    loops,
    token_limit,
    unsupported_terms,
)
from workbench.engines.whisper_windows import cut, stitch

log = logging.getLogger(__name__)

Check = Callable[[], None]
"""Raises when nobody waits for the result any more."""


@dataclass(frozen=True)
class Padding:
    """How much silence the encoder gets behind a clip.

    Attributes:
        name: What the bench calls it.
        after_s: Padding behind the clip, seconds.
        at_least_s: Clip and padding together are at least this long, seconds.
        tail_s: States of silence put behind the encoded clip without encoding them, seconds.
        sure_logprob: Mean log probability above which its text is as good as that of the padding after it.
    """

    name: str
    after_s: float
    at_least_s: float = 0.0
    tail_s: float = 0.0
    sure_logprob: float = -math.inf

    def encoded_s(self, audio_s: float) -> float:
        """Length of what the encoder sees, seconds; 30 at most."""
        return min(30.0, max(audio_s + self.after_s, self.at_least_s))


SHORT = Padding("unpadded", after_s=1.0, tail_s=3.0, sure_logprob=-0.3)
LONGER = Padding("padded to 12 s", after_s=4.0, at_least_s=12.0, tail_s=3.0, sure_logprob=-0.7)
FULL = Padding("padded to 30 s", after_s=30.0)

LADDER = (SHORT, LONGER, FULL)
"""Tried in this order until a hypothesis passes. The two thresholds were read off 155 clips (real answers with noise
and in rooms, synthetic medical answers): every fifth clip goes on to the second, every fortieth to the third, and
the word error rate is within half a point of always padding."""

NO_SPEECH = 0.6
LEAST_LOGPROB = -1.0
"""OpenAI's thresholds (Whisper paper, section 4.5)."""

SURELY_NO_LOGPROB = -1.4
"""With `NO_SPEECH` passed, below this the short encoder's word is believed too: no short answer came near it."""

DOUBTFUL_NO_SPEECH, DOUBTFUL_LOGPROB = 0.35, -0.5
"""Noise that Whisper takes for words is further from speech than one of these, real short answers than neither."""

MAX_KEPT = 48
"""Windows whose text is kept: a partial, or the final text after it, pays only for the window that changed."""

MAX_PROMPT_TOKENS = 48
"""Room for eight to twelve terms. They cut the errors on synthetic medical answers from 20 to 14 %."""


class Decoder(Protocol):
    """One Whisper model, blocking; what differs between its runtimes."""

    def encode(self, samples: Samples, padding: Padding) -> Any:
        """States of one window of at most 30 s."""
        ...

    def decode(self, states: Any, prompt: Sequence[int], limit: int) -> Hypothesis:
        """Greedy text of the states after a prompt of earlier text, at most `limit` tokens."""
        ...

    def align(self, states: Any, tokens: Sequence[int], audio_s: float) -> list[Word]:
        """Words of a decoded text with their times, seconds from the start of the window."""
        ...

    def prompt_tokens(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        ...


@dataclass(frozen=True)
class _Heard:
    """What one window said; `reason` when it said nothing although there was sound; `draft` when it was not checked."""

    text: str = ""
    words: tuple[Word, ...] = ()
    logprob: float = 0.0
    n_tokens: int = 0
    reason: str | None = None
    draft: bool = False


class Recogniser:
    """Recognition of clips of any length with one decoder; not thread-safe, a worker's thread owns it.

    Args:
        decoder: The model.
        ladder: Paddings to try in order; a GPU, for which padding costs nothing, begins with `FULL`.
    """

    def __init__(self, decoder: Decoder, ladder: Sequence[Padding] = LADDER) -> None:
        self._decoder = decoder
        self._ladder = tuple(ladder)
        self._kept: OrderedDict[bytes, _Heard] = OrderedDict()

    def recognise(
        self,
        audio: Samples,
        *,
        key_terms: Sequence[str] = (),
        with_words: bool = False,
        draft: bool = False,
        check: Check = lambda: None,
    ) -> Transcript:
        """The text of one clip.

        Args:
            audio: (n_samples,) float32 in [-1, 1], 16 kHz, any length.
            key_terms: Terms that are likely.
            with_words: Whether word times are wanted.
            draft: A partial: doubtful text is left out instead of being decoded again.
            check: Called between steps, to stop work nobody waits for.
        """
        samples = np.clip(np.nan_to_num(audio, posinf=0.0, neginf=0.0), -1.0, 1.0).astype(np.float32)
        windows = cut(samples)
        heard: list[_Heard] = []
        for i, window in enumerate(windows):
            check()
            # A window that is followed by another will not change while the recording grows: it is worth a final text
            # with its words even for a draft, and is then only looked up.
            last = i + 1 == len(windows)
            words = with_words or window.overlaps or not last
            heard.append(self._window(samples[window.start : window.end], key_terms, words, draft and last, check))
        return _join(
            heard,
            [w.start for w in windows],
            [w.end for w in windows],
            [w.overlaps for w in windows],
            len(samples) / SAMPLE_RATE_HZ,
            with_words,
        )

    def rehearse(self, audio: Samples) -> None:
        """Runs every step once on sound whose text does not matter, so that no candidate waits for a first time."""
        for padding in self._ladder[:2]:
            states = self._decoder.encode(audio, padding)
            said = self._decoder.decode(states, self._prompt(["rehearsal"]), token_limit(len(audio) / SAMPLE_RATE_HZ))
            self._decoder.align(states, said.tokens, len(audio) / SAMPLE_RATE_HZ)

    def _window(self, samples: Samples, terms: Sequence[str], words: bool, draft: bool, check: Check) -> _Heard:
        key = hashlib.blake2b(samples.tobytes(), digest_size=16)
        key.update(repr(tuple(terms)).encode())
        name = key.digest()
        kept = self._kept.get(name)
        if kept is not None and (draft or not kept.draft) and (kept.words or not words or not kept.text):
            self._kept.move_to_end(name)
            return kept
        result = self._hear(samples, terms, words, draft, check)
        self._kept[name] = result
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return result

    def _hear(self, samples: Samples, terms: Sequence[str], words: bool, draft: bool, check: Check) -> _Heard:
        audio_s = len(samples) / SAMPLE_RATE_HZ
        if listen(samples).silent:
            return _Heard()
        prompt = self._prompt(terms)
        limit = token_limit(audio_s)
        best: tuple[Hypothesis, Any] | None = None
        reason = ""
        for rung, padding in enumerate(self._ladder):
            if draft and (best is not None or rung > 1):
                break
            check()
            states = self._decoder.encode(samples, padding)
            hypothesis = self._decode(states, prompt, terms, limit, draft, check)
            if is_surely_empty(hypothesis):
                return _Heard(reason="no speech")
            if hypothesis.cut_off or loops(hypothesis.text, audio_s):
                log.debug("%s: loop in %.1f s of sound", padding.name, audio_s)
                reason = "repetition"
                continue
            if not has_letters(hypothesis):
                reason = "no speech"
                continue
            if best is None or hypothesis.avg_logprob > best[0].avg_logprob:
                best = (hypothesis, states)
            if hypothesis.avg_logprob >= padding.sure_logprob:
                break
        if best is None:
            return _Heard(reason=reason, draft=draft)
        hypothesis, states = best
        if is_invented(hypothesis):
            return _Heard(reason="no speech", draft=draft)
        aligned = self._decoder.align(states, hypothesis.tokens, audio_s) if words else []
        sure = not draft or hypothesis.avg_logprob >= padding.sure_logprob
        return _Heard(hypothesis.text, tuple(aligned), hypothesis.avg_logprob, len(hypothesis.tokens), draft=not sure)

    def _decode(
        self, states: Any, prompt: Sequence[int], terms: Sequence[str], limit: int, draft: bool, check: Check
    ) -> Hypothesis:
        hypothesis = self._decoder.decode(states, prompt, limit)
        if not prompt or draft:
            return hypothesis
        doubtful = hypothesis.cut_off or not hypothesis.text or _mentions(hypothesis.text, terms)
        if not doubtful:
            return hypothesis
        check()
        free = self._decoder.decode(states, (), limit)
        if hypothesis.cut_off or not hypothesis.text or unsupported_terms(hypothesis.text, free.text, terms):
            return free
        return hypothesis

    def _prompt(self, terms: Sequence[str]) -> list[int]:
        """As many terms as fit, as a sentence of their own: after a comma Whisper would go on in lower case."""
        chosen: list[str] = []
        tokens: list[int] = []
        for term in filter(None, (" ".join(term.split()) for term in terms)):
            longer = self._decoder.prompt_tokens(f" {', '.join([*chosen, term])}.")
            if len(longer) > MAX_PROMPT_TOKENS:
                break
            chosen, tokens = [*chosen, term], longer
        return tokens


def has_letters(hypothesis: Hypothesis) -> bool:
    """Whether anything in the text can be spoken; Whisper writes full stops for silence."""
    return any(map(str.isalnum, hypothesis.text))


def is_surely_empty(hypothesis: Hypothesis) -> bool:
    """Whether Whisper says "no speech" so clearly that more padding need not be asked."""
    if hypothesis.no_speech_prob <= NO_SPEECH:
        return False
    return not has_letters(hypothesis) or hypothesis.avg_logprob < SURELY_NO_LOGPROB


def is_invented(hypothesis: Hypothesis) -> bool:
    """Whether a text is more likely Whisper's own than the speaker's; `hypothesis` neither loops nor was cut off."""
    if not has_letters(hypothesis) or hypothesis.avg_logprob < LEAST_LOGPROB:
        return True
    if hypothesis.no_speech_prob > NO_SPEECH and hypothesis.avg_logprob < DOUBTFUL_LOGPROB:
        return True
    doubtful = hypothesis.no_speech_prob > DOUBTFUL_NO_SPEECH or hypothesis.avg_logprob < DOUBTFUL_LOGPROB
    return doubtful and is_filler(hypothesis.text)


def _mentions(text: str, terms: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(word in lowered for term in terms for word in term.lower().split() if len(word) > 3)


def _join(
    heard: Sequence[_Heard],
    starts: Sequence[int],
    ends: Sequence[int],
    overlaps: Sequence[bool],
    audio_s: float,
    with_words: bool,
) -> Transcript:
    """One transcript of all windows; windows that overlap are joined on their words, others one after another."""
    runs: list[tuple[str, list[Word]]] = []
    for i, one in enumerate(heard):
        offset = starts[i] / SAMPLE_RATE_HZ
        words = [Word(word.text, word.start_s + offset, word.end_s + offset, word.probability) for word in one.words]
        if overlaps[i]:
            merged = stitch(runs[-1][1], words, offset, ends[i - 1] / SAMPLE_RATE_HZ)
            runs[-1] = (" ".join(word.text for word in merged), merged)
        else:
            runs.append((one.text, words))
    text = " ".join(filter(None, (text for text, _ in runs)))
    n_tokens = sum(one.n_tokens for one in heard)
    logprob = sum(one.logprob * one.n_tokens for one in heard) / max(1, n_tokens)
    return Transcript(
        text=text,
        words=tuple(word for _, words in runs for word in words) if with_words else (),
        audio_s=audio_s,
        confidence=math.exp(logprob) if text else 0.0,
        gave_up=None if text else next((one.reason for one in heard if one.reason), None),
    )
