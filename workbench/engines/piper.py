"""The embedded voice: Piper (VITS, exported to ONNX), phrase by phrase, to be heard early."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import NDArray

from workbench.engines.base import EngineError, Priority, Samples
from workbench.engines.phrasing import Phrase, phrases
from workbench.engines.piper_graph import BUSY_PIECE_FRAMES, PIECE_FRAMES, SplitVoice, load
from workbench.engines.urgency import URGENCY
from workbench.engines.worker import CancelFlag, Worker
from workbench.model_manifest import MANIFEST
from workbench.models import ModelError, find

if TYPE_CHECKING:
    from workbench.settings import Settings

NAME = "piper"

LEAD_S = 0.01
"""Silence kept before a phrase's first sound."""

TAIL_S = 0.03
"""Silence kept after a phrase's last sound; the pause comes on top of it."""

FADE_S = 0.004
"""Length of the ramps at both ends of a phrase: the model's phrases do not start and end on zero."""

FRAME_S = 0.005
"""Grain at which silence is looked for."""

SILENCE_PEAK = 0.002
"""Peak below which a frame is silence; the model's silence peaks at 0.0001, soft fricatives at 0.005."""

GAIN = 1.3
"""Brings the voice (peaks near 0.7, -26 dBFS) to the loudness of speech on a call, alike for every phrase."""

ITS_OWN = 2
"""Work waited for in one conversation while its reply begins: the voice, and the model that is still in the clause."""

_SPELLED_A = re.compile(
    r"(?<=\b[A-Z] )A\b|\bA(?= [A-Z]\b)|(?<=[Vv]itamin )A\b|(?<=[Hh]epatitis )A\b|(?<=[Ff]actor )A\b"
    r"|(?<=[Tt]ype )A\b|(?<=[Oo]ption )A\b|(?<=[Pp]art )A\b"
)
"""The letter, which espeak-ng would read as the article; "eigh" is how it spells the sound to itself."""


@dataclass(frozen=True)
class Manner:
    """How a phrase is spoken.

    Attributes:
        rate: Speaking rate, 1 is the voice's own.
        pitch: Factor on the pitch, 1 is the voice's own; 1.2 is a lighter voice.
        noise_scale: Liveliness of the sound in [0, 1]; None is the voice's own.
        noise_w_scale: Unevenness of the rhythm in [0, 1]; None is the voice's own.
    """

    rate: float = 1.0
    pitch: float = 1.0
    noise_scale: float | None = None
    noise_w_scale: float | None = None

    def __post_init__(self) -> None:
        for field, value, low, high in (("rate", self.rate, 0.3, 3.0), ("pitch", self.pitch, 0.5, 2.0)):
            if not low <= value <= high:
                raise ValueError(f"{field} must be between {low} and {high}, got {value}")


class PiperSynthesizer:
    """One Piper voice behind one worker thread; phrases of several speakers take turns on it."""

    name = NAME

    def __init__(self, model_path: Path, *, threads: int = 1) -> None:
        self._model_path = model_path
        self._threads = threads
        self._config = _read_config(model_path)
        self.sample_rate_hz: int = self._config["audio"]["sample_rate"]
        self._voice: Any = None
        self._worker = Worker("piper", urgency=URGENCY)

    async def warm_up(self) -> None:
        """Loads the voice and speaks a short and a long phrase."""
        for text in ("Thank you.", "What is the most likely diagnosis, and which investigation comes first?"):
            async for _ in self.stream(text):
                pass

    async def stream(
        self, text: str, *, rate: float = 1.0, priority: Priority = "now"
    ) -> AsyncGenerator[Samples, None]:
        """Yields audio piece by piece, (n_samples,) float32 at `sample_rate_hz`; see `Synthesizer`."""
        async with aclosing(self.speak(text, rate=rate, priority=priority)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def speak(
        self,
        text: str,
        *,
        rate: float = 1.0,
        pitch: float = 1.0,
        noise_scale: float | None = None,
        noise_w_scale: float | None = None,
        priority: Priority = "now",
    ) -> AsyncGenerator[Samples, None]:
        """`stream` with the voice's manner; what simulated candidates sound different by.

        Args:
            text: Sentences, already normalised for speech.
            rate: Speaking rate, 0.3 to 3.
            pitch: Factor on the pitch, 0.5 to 2.
            noise_scale: Liveliness of the sound; None is the voice's own.
            noise_w_scale: Unevenness of the rhythm; None is the voice's own.
            priority: Place of the first phrase in the queue. Later ones are asked for while the one before is
                being heard, so they queue behind every first phrase.

        Raises:
            EngineError: The voice cannot be loaded, or it failed on this text.
            ValueError: A value is out of range.
        """
        manner = Manner(rate, pitch, noise_scale, noise_w_scale)
        asked: _Asked | None = None
        try:
            for phrase in phrases(text):
                before, asked = asked, _Asked(self._pieces(phrase, manner, priority))
                if before is not None:
                    async for piece in before.pieces():
                        yield piece
                priority = "soon" if priority == "now" else priority
            if asked is not None:
                async for piece in asked.pieces():
                    yield piece
        finally:
            if asked is not None:
                await asked.close()

    async def close(self) -> None:
        """Frees the voice."""
        self._worker.close()
        self._voice = None

    async def _pieces(self, phrase: Phrase, manner: Manner, priority: Priority) -> AsyncGenerator[Samples, None]:
        def job(flag: CancelFlag) -> Iterator[Samples]:
            return self._synthesize(phrase, manner, flag, priority != "idle")

        pieces = self._worker.iterate(job, priority=priority, gives_way=True)
        try:
            async for piece in pieces:
                yield piece
        except (EngineError, ValueError):
            raise
        except Exception as error:
            raise EngineError(
                self.name, f"could not speak a phrase of {len(phrase.text)} characters: {error}"
            ) from error
        finally:
            await pieces.aclose()

    def _synthesize(self, phrase: Phrase, manner: Manner, flag: CancelFlag, early: bool) -> Iterator[Samples]:
        """The sound of a phrase and the pause behind it; its beginning before the rest where somebody waits for it."""
        if self._voice is None:
            self._voice = _load(self._model_path, self._config, self._threads)
        phonemizer, voice = self._voice
        own = phonemizer.config
        scales = (
            own.noise_scale if manner.noise_scale is None else manner.noise_scale,
            own.length_scale * manner.pitch / manner.rate,
            own.noise_w_scale if manner.noise_w_scale is None else manner.noise_w_scale,
        )
        pieces: tuple[int, ...] = ()
        if early and manner.pitch == 1.0:
            pieces = BUSY_PIECE_FRAMES if URGENCY.n_waited_for > ITS_OWN else PIECE_FRAMES
        spoke = False
        for phonemes in phonemizer.phonemize(_SPELLED_A.sub("eigh", phrase.text)):
            flag.check()
            if not any(phoneme.isalpha() for phoneme in phonemes):
                continue  # punctuation alone makes the model hum
            trimmed = Trimmer(self.sample_rate_hz)
            for sound in voice.sound(phonemizer.phonemes_to_ids(phonemes), scales, pieces=pieces):
                flag.check()
                if manner.pitch != 1.0:
                    sound = soxr.resample(sound, self.sample_rate_hz * manner.pitch, self.sample_rate_hz)
                piece = trimmed.push(np.clip(sound * GAIN, -1.0, 1.0).astype(np.float32))
                if piece.size:
                    yield piece
                    spoke = True
            rest = trimmed.end()
            if rest.size:
                yield rest
                spoke = True
        if spoke and phrase.pause_s:
            yield np.zeros(round(phrase.pause_s * self.sample_rate_hz), np.float32)


class _Asked:
    """A phrase that the worker has been asked for, whether or not anybody reads it yet."""

    def __init__(self, pieces: AsyncGenerator[Samples, None]) -> None:
        self._rest = pieces
        self._first = asyncio.create_task(anext(pieces, None))

    async def pieces(self) -> AsyncGenerator[Samples, None]:
        """Its sound."""
        try:
            first = await self._first
            if first is not None:
                yield first
                async for piece in self._rest:
                    yield piece
        finally:
            await self.close()

    async def close(self) -> None:
        """Nobody wants it any more."""
        self._first.cancel()
        with suppress(asyncio.CancelledError, EngineError):
            await self._first
        await self._rest.aclose()


class Trimmer:
    """Cuts silence off both ends of a phrase that comes in pieces, down to `LEAD_S` and `TAIL_S`, and ramps the ends.

    Args:
        sample_rate_hz: Rate of the sound.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._frame = max(1, round(FRAME_S * sample_rate_hz))
        self._lead = round(LEAD_S * sample_rate_hz)
        self._tail = round(TAIL_S * sample_rate_hz)
        self._fade = round(FADE_S * sample_rate_hz)
        self._sound = np.zeros(0, np.float32)
        self._start: int | None = None
        self._given = 0

    def push(self, sound: Samples) -> Samples:
        """Takes the next piece, (n_samples,) float32, and returns what of the phrase is settled by now."""
        self._sound = np.concatenate([self._sound, sound])
        whole = len(self._sound) // self._frame * self._frame
        loud = self._loud(self._sound[:whole])
        if loud.size == 0:
            return np.zeros(0, np.float32)
        # silence may yet turn out to be the end, and the ramp down needs the last of the sound
        return self._give((int(loud[-1]) + 1) * self._frame - self._fade, int(loud[0]))

    def end(self) -> Samples:
        """The rest; empty when there is no sound, or none left."""
        loud = self._loud(np.pad(self._sound, (0, -len(self._sound) % self._frame)))
        if loud.size == 0:
            return np.zeros(0, np.float32)
        end = min(len(self._sound), (int(loud[-1]) + 1) * self._frame + self._tail)
        self._sound = self._sound[:end]
        start = max(0, int(loud[0]) * self._frame - self._lead) if self._start is None else self._start
        n_fade = min(self._fade, (end - start) // 2, end - self._given)
        self._sound[end - n_fade :] *= np.linspace(1.0, 0.0, n_fade, dtype=np.float32)
        return self._give(end, int(loud[0]), last=True)

    def _loud(self, sound: Samples) -> NDArray[np.intp]:
        if not sound.size:
            return np.zeros(0, np.intp)
        return np.flatnonzero(np.abs(sound).reshape(-1, self._frame).max(axis=1) > SILENCE_PEAK)

    def _give(self, end: int, first_loud: int, *, last: bool = False) -> Samples:
        if self._start is None:
            start = max(0, first_loud * self._frame - self._lead)
            if not last and end - start < 2 * self._fade:
                return np.zeros(0, np.float32)
            self._start = self._given = start
            n_fade = min(self._fade, (end - start) // 2)
            self._sound[start : start + n_fade] *= np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
        given = self._sound[self._given : max(end, self._given)].copy()
        self._given = max(end, self._given)
        return given


def trim(audio: Samples, sample_rate_hz: int) -> Samples:
    """A whole phrase without the silence at its ends; see `Trimmer`. Empty when there is no sound."""
    trimmer = Trimmer(sample_rate_hz)
    return np.concatenate([trimmer.push(audio), trimmer.end()])


def create(settings: Settings) -> PiperSynthesizer:
    """The voice `VIVA_TTS_MODEL`: a name from the weights manifest, or the path of a Piper `.onnx` file.

    Raises:
        EngineError: `piper-tts` is not installed, or the voice is not there.
    """
    try:
        import piper  # noqa: F401
    except ImportError as error:
        raise EngineError(
            NAME, f"piper-tts cannot be imported ({error}); install it: pip install 'viva-workbench[piper]'"
        ) from error
    return PiperSynthesizer(_find_voice(settings), threads=settings.threads)


def _find_voice(settings: Settings) -> Path:
    given = Path(settings.tts_model).expanduser()
    if given.suffix == ".onnx":
        if given.is_file():
            return given
        raise EngineError(NAME, f"there is no voice at {given}; correct VIVA_TTS_MODEL, or run `viva models pull`")
    file = f"{given.name}.onnx"
    for name, weights in MANIFEST.items():
        if any(entry.path == file for entry in weights.files):
            try:
                return find(name, settings.models_dir) / file
            except ModelError as error:
                raise EngineError(NAME, str(error)) from error
    raise EngineError(
        NAME,
        f"no voice is called {settings.tts_model!r}; set VIVA_TTS_MODEL to en_US-joe-medium, or to the "
        "path of "
        "a Piper .onnx file with its .onnx.json beside it",
    )


def _read_config(model_path: Path) -> dict[str, Any]:
    path = model_path.with_name(model_path.name + ".json")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        int(config["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            NAME, f"cannot read the voice's settings at {path}: {error}; run `viva models pull`"
        ) from error
    return config


def _load(model_path: Path, config: dict[str, Any], threads: int) -> tuple[Any, SplitVoice]:
    """What makes phonemes of text, and the voice."""
    from piper import PiperVoice
    from piper.config import PiperConfig

    voice = load(model_path, threads)
    return PiperVoice(session=None, config=PiperConfig.from_dict(config)), voice
