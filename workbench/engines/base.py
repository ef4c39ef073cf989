"""The protocols every engine speaks, and the values that pass between an engine and its caller.

All engines are asynchronous and cancellable: cancelling the awaiting task, or closing the generator, stops the work
behind it as soon as the model allows (the next token, the next audio chunk). A local model runs its blocking code on
a `workbench.engines.worker.Worker`; a remote one awaits its socket. Neither blocks the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Rate of all audio inside the workbench; the edges (socket, files, synthesizers) convert."""

VAD_FRAME_SAMPLES = 512
"""Samples of one voice-activity frame: 32 ms at 16 kHz (Silero VAD 5 and later accept no other size)."""

Samples = NDArray[np.float32]
"""Mono audio, shape (n_samples,), float32 in [-1, 1]."""

Priority = Literal["now", "soon", "idle"]
"""How urgent a piece of work is: `now` holds a reply up, `soon` is speculative, `idle` may be dropped (partials)."""


class EngineError(RuntimeError):
    """An engine could not do what was asked; the message says what was tried and what to do about it.

    Attributes:
        engine: Name of the engine as the settings spell it.
        retryable: Whether the same call may succeed a moment later (a time-out, a full server).
    """

    def __init__(self, engine: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(f"{engine}: {message}")
        self.engine = engine
        self.retryable = retryable


@dataclass(frozen=True)
class Word:
    """A recognised word with its place in the audio, seconds from the start of the clip."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Transcript:
    """What a recogniser made of one clip.

    Attributes:
        text: The words, punctuated as the model gives them; empty when nothing was said or the engine gave up.
        words: Words with times, empty unless asked for.
        audio_s: Length of the clip in seconds.
        confidence: Mean token probability in [0, 1]; 0 for an empty text.
        gave_up: Why the text is empty although there was sound ("repetition", "no speech", ...), else None.
    """

    text: str
    words: tuple[Word, ...] = ()
    audio_s: float = 0.0
    confidence: float = 0.0
    gave_up: str | None = None


class ChatMessage(TypedDict):
    """One message of a chat, as every OpenAI-compatible server takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


class Transcriber(Protocol):
    """Speech to text."""

    name: str

    async def warm_up(self) -> None:
        """Loads the weights and runs realistic lengths once; later calls are as fast as they get."""

    async def transcribe(
        self,
        audio: Samples,
        *,
        key_terms: Sequence[str] = (),
        with_words: bool = False,
        priority: Priority = "now",
    ) -> Transcript:
        """Recognises one clip of any length.

        Args:
            audio: (n_samples,) float32 in [-1, 1], 16 kHz.
            key_terms: Rare terms likely to be said; they bias the decoding, they are never inserted.
            with_words: Whether word times are needed (costs an alignment pass).
            priority: Place in the queue of the engine.

        Raises:
            EngineError: The engine failed; an inaudible or looping clip is no failure but an empty `Transcript`.
        """
        ...

    async def close(self) -> None:
        """Frees the model or the connection."""


class ChatModel(Protocol):
    """A language model that streams its reply.

    Attributes:
        name: Its name in the registry.
        recall: Latest messages of a free conversation that are read to it, the candidate's last included; None for all.
    """

    name: str
    recall: int | None

    async def warm_up(self) -> None:
        """Loads the weights and fills the cache of the prompts' shared prefix."""

    def stream(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int = 64,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        priority: Priority = "now",
    ) -> AsyncGenerator[str, None]:
        """Yields pieces of the reply as they are made; closing the generator stops the model.

        Raises:
            EngineError: Before the first piece only after the retries the engine makes; after it at once.
        """
        ...

    async def close(self) -> None:
        """Frees the model or the connection."""


class LabelScorer(Protocol):
    """A language model that says how likely each of a few given replies is; nothing is generated, nothing is parsed.

    What a label is, and where it stands, is written down in `workbench.exam.judge_prompts`.

    Attributes:
        name: Its name in the registry.
    """

    name: str

    @property
    def scored_model(self) -> str:
        """Model or adapter that scores, as it is to be written beside a mark."""
        ...

    async def warm_up(self) -> None:
        """Loads the weights, or reaches the server."""

    async def score_many(
        self,
        chats: Sequence[Sequence[ChatMessage]],
        labels: Sequence[str],
        *,
        priority: Priority = "now",
        model: str | None = None,
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of the labels as the beginning of the next reply, each over all its tokens.

        Args:
            chats: Each ends with the user's message; several at once cost less the longer they begin alike.
            labels: Two or more different texts, none of which begins with another.
            priority: Place in the queue of the engine.
            model: Model or adapter that is asked; None takes the engine's own.

        Returns:
            For each chat one number a label, in their order; normalised, so that their exponentials sum to 1.

        Raises:
            EngineError: The model could not be asked, or does not say.
        """
        ...

    async def close(self) -> None:
        """Frees the model or the connection."""


class Synthesizer(Protocol):
    """Text to speech."""

    name: str
    sample_rate_hz: int

    async def warm_up(self) -> None:
        """Loads the voice and speaks a phrase of realistic length once."""

    def stream(self, text: str, *, rate: float = 1.0, priority: Priority = "now") -> AsyncGenerator[Samples, None]:
        """Yields audio at `sample_rate_hz` in chunks of any length, leading silence trimmed to about 10 ms.

        Args:
            text: One or more sentences, already normalised for speech (`workbench.engines.spoken_text.speakable`).
            rate: Speaking rate, 1 is the voice's own; 0.8 is slower.
            priority: Place in the queue of the engine.

        Raises:
            EngineError: The text could not be spoken.
        """
        ...

    async def close(self) -> None:
        """Frees the voice or the connection."""


class VoiceStream(Protocol):
    """Voice activity of one audio stream; state lives here, one object per stream. Fast enough for the event loop."""

    def probability(self, frame: Samples) -> float:
        """Probability in [0, 1] that this frame of exactly `VAD_FRAME_SAMPLES` samples holds speech."""
        ...

    def reset(self) -> None:
        """Forgets what was heard."""


class VoiceDetector(Protocol):
    """Voice activity detection; one model, many streams."""

    name: str

    async def warm_up(self) -> None:
        """Loads the weights."""

    def new_stream(self) -> VoiceStream:
        """A fresh stream with a state of its own."""
        ...


class EndOfTurnModel(Protocol):
    """Whether a speaker who paused sounds finished, judged from the sound alone."""

    name: str

    async def warm_up(self) -> None:
        """Loads the weights."""

    async def probability(self, audio: Samples, *, priority: Priority = "now") -> float:
        """Probability in [0, 1] that the turn is complete; the last 8 s of 16 kHz audio count."""
        ...


@dataclass(frozen=True)
class Engines:
    """One engine of each kind, loaded once and shared by every session."""

    voice: VoiceDetector
    end_of_turn: EndOfTurnModel
    transcriber: Transcriber
    chat: ChatModel
    synthesizer: Synthesizer
    judge_chat: LabelScorer | None = field(default=None)
