"""Whose turn it is: frames of sound in, signals out, all of it counted in samples of the session's input stream.

There is no clock here. A recorded session, fed again with the same evidence at the same samples, makes the same
decisions, in whatever pieces it arrives.

    idle --Onset--> speaking --Pause--> paused --EndOfTurn--> idle
                    speaking --Withdrawn--> idle (a click, a cough)
                    paused --Resume--> speaking, --Withdrawn--> idle (no words were in it)

A `Pause` is where the caller starts to recognise and to prepare a reply. What it learns comes back as `evidence`, and
decides how long the silence must last: short after a finished sentence, long after an unfinished one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from workbench.engines.base import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES, Samples, VoiceStream
from workbench.realtime.completeness import Expects, asks_for_time, completeness, settles
from workbench.realtime.voice_edge import VoiceEdge

ONSET_FRAMES = 2
"""Voiced frames in a row that make an onset (64 ms): one alone is a click."""

RESUME_FRAMES = 2
"""Voiced frames in a row that end a pause."""

PAUSE_FRAMES = 2
"""Silent frames in a row that make a pause (64 ms): stop consonants are shorter."""

VOICED = 0.5
"""Probability from which a frame is speech."""

HELD = 0.35
"""Probability from which a frame of a turn under way is still speech: its quiet ends belong to it."""

VOICED_OVER_EXAMINER = 0.7
HELD_OVER_EXAMINER = 0.5
"""The same while the examiner speaks, whose echo the microphone may pick up."""

OVER_EXAMINER_DB = 20.0
"""Who speaks over the examiner is not so much quieter than they were when they answered: that is the examiner's own
voice, which the microphone picks up."""

OWN_LEVEL_STEP = 0.3
"""Share of the way that the candidate's known loudness goes towards that of their latest turn."""

MIN_SPEECH_FRAMES = 4
"""Voiced frames below which a sound is no speech (128 ms); the shortest "no" has five."""

WITHDRAW_FRAMES = 6
"""Silence after which so brief a sound is given up (192 ms)."""

WORDLESS_S = 0.8
"""A sound shorter than this in which no words were recognised is no turn."""

UNKNOWN_COMPLETENESS = 0.45
"""What is assumed of a pause nobody has told anything about: rather unfinished."""

TIME_ASKED_FACTOR = 1.6
""""Let me think" buys this much of the longest wait."""

PatienceName = Literal["brisk", "default", "patient"]


@dataclass(frozen=True)
class Patience:
    """Silence that ends a turn, seconds.

    Attributes:
        finished_s: After a finished sentence.
        unfinished_s: After one that is not.
        answer_s: After a finished sentence of an answer to an exam question, unless it says that it is over or asks for
            something. Neither words nor sound tell a clause that ends an answer from one more to come, so that only
            this decides how often a candidate who thinks between clauses is cut off; see `viva bench turns`.
        pause_frames: Silent frames in a row that make a pause. With one, work begins 32 ms sooner and, at every stop
            consonant, in vain.
    """

    finished_s: float = 0.5
    unfinished_s: float = 2.5
    answer_s: float = 2.0
    pause_frames: int = PAUSE_FRAMES

    def __post_init__(self) -> None:
        if not 0 < self.finished_s <= self.answer_s <= self.unfinished_s:
            raise ValueError(
                "0 < finished_s <= answer_s <= unfinished_s is needed, got "
                f"{self.finished_s}, {self.answer_s} and {self.unfinished_s}"
            )

    @staticmethod
    def preset(name: PatienceName) -> Patience:
        """One of the named settings.

        Raises:
            ValueError: An unknown name; the message lists the known ones.
        """
        if name not in PRESETS:
            raise ValueError(f"unknown patience {name!r}; known: {', '.join(PRESETS)}")
        return PRESETS[name]

    def needed_s(self, complete: float, *, in_answer: bool = False) -> float:
        """Silence needed after words that are this complete, 0 to 1: a straight line between the two ends."""
        shortest_s = self.answer_s if in_answer else self.finished_s
        return self.unfinished_s + (shortest_s - self.unfinished_s) * complete


PRESETS: dict[str, Patience] = {
    "brisk": Patience(0.25, 1.6, 1.0, pause_frames=1),
    "default": Patience(0.5, 2.5, 2.0),
    "patient": Patience(0.9, 3.5, 2.8),
}


# ---- signals -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Onset:
    """Possible speech began at this sample."""

    sample: int


@dataclass(frozen=True)
class Pause:
    """The candidate fell silent; `end_sample` is one after the last voiced sample of the turn so far."""

    pause_id: int
    start_sample: int
    end_sample: int


@dataclass(frozen=True)
class Resume:
    """The candidate goes on from this sample: what was prepared in the pause is void."""

    pause_id: int
    sample: int


@dataclass(frozen=True)
class EndOfTurn:
    """The turn is over.

    Attributes:
        pause_id: The pause it ended in.
        start_sample: First voiced sample of the turn.
        end_sample: One after its last voiced sample.
        at_sample: Samples received when this was decided.
        needed_s: Silence the rule asked for; 0 when the client ended the turn.
    """

    pause_id: int
    start_sample: int
    end_sample: int
    at_sample: int
    needed_s: float


@dataclass(frozen=True)
class Withdrawn:
    """The onset at this sample was no speech."""

    sample: int


TurnSignal = Onset | Pause | Resume | EndOfTurn | Withdrawn


# ---- the rule ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Evidence:
    text: str | None = None
    end_of_turn: float | None = None
    enough: bool = False


class TurnTaker:
    """Watches one candidate's sound and says when a turn begins, pauses, goes on and is over.

    Args:
        voice: Voice activity of this stream; nobody else may feed it.
        patience: Silence that ends a turn.
        accommodation: Factor on every such silence, >= 1 for a candidate who needs time.
        expects: What the examiner asked for; short answers to closed prompts end quickly.
    """

    def __init__(
        self,
        voice: VoiceStream,
        *,
        patience: Patience = PRESETS["default"],
        accommodation: float = 1.0,
        expects: Expects = "anything",
    ) -> None:
        self._voice = voice
        self._edge = VoiceEdge()
        self._own_db: float | None = None
        self._state: Literal["idle", "speaking", "paused"] = "idle"
        self._armed = True
        self._run = 0
        self._silent = 0
        self._voiced = 0
        self._start = 0
        self._end = 0
        self._pause_id = 0
        self._evidence = _Evidence()
        self._granted_until = 0
        self._held_pause = -1
        self.n_samples = 0
        self.set_patience(patience, accommodation)
        self.expects = expects

    @property
    def holds_turn(self) -> bool:
        """Whether a turn is under way, in speech or in a pause."""
        return self._state != "idle"

    def set_patience(self, patience: Patience, accommodation: float = 1.0) -> None:
        """Changes the silence that ends a turn, from now on.

        Raises:
            ValueError: The factor is not positive.
        """
        if accommodation <= 0:
            raise ValueError(f"accommodation must be positive, got {accommodation}")
        self.patience, self.accommodation = patience, accommodation

    def frame(self, frame: Samples, examiner_speaking: bool = False) -> tuple[TurnSignal, ...]:
        """Takes the next frame.

        Args:
            frame: (512,) float32 in [-1, 1], 16 kHz.
            examiner_speaking: Whether the examiner can be heard at the candidate's side.

        Returns:
            What follows from it, in order; mostly nothing.
        """
        probability = self._voice.probability(frame)
        self.n_samples += VAD_FRAME_SAMPLES
        voiced = probability >= (VOICED_OVER_EXAMINER if examiner_speaking else VOICED)
        audible = self._edge.push(frame, voiced and not (examiner_speaking and self._state == "idle"))
        if self._state == "idle":
            return self._in_idle(voiced and not (examiner_speaking and self._too_quiet_for_candidate()))
        if self._state == "speaking":
            held = probability >= (HELD_OVER_EXAMINER if examiner_speaking else HELD)
            return self._in_speech(held and audible)
        return self._in_pause(voiced and audible)

    def evidence(
        self,
        pause_id: int,
        *,
        text: str | None = None,
        end_of_turn: float | None = None,
        enough: bool = False,
    ) -> tuple[TurnSignal, ...]:
        """Takes what is known about a pause by now; late, partial and repeated evidence is fine, none is too.

        Args:
            pause_id: The pause it belongs to; evidence about an older one is ignored.
            text: The whole turn's words; empty when there were none, None when not known.
            end_of_turn: Probability of the end-of-turn model, None when not known.
            enough: Whether the answer already holds all that was asked for, so that nothing is lost by ending it here:
                it then waits `finished_s`, not `answer_s`.

        Returns:
            The end of the turn when the silence has lasted long enough already.
        """
        if self._state != "paused" or pause_id != self._pause_id:
            return ()
        known = self._evidence
        self._evidence = replace(
            known,
            text=known.text if text is None else text,
            end_of_turn=known.end_of_turn if end_of_turn is None else end_of_turn,
            enough=known.enough or enough,
        )
        if text is not None and not text.strip() and self._voiced_s < WORDLESS_S:
            return self._withdraw()
        return self._end_if_due()

    def silence_left_s(self) -> float:
        """Seconds of silence until the pause under way ends the turn, by what is known now; 0 outside a pause."""
        if self._state != "paused":
            return 0.0
        return max(0.0, self._needed_s() - (self.n_samples - self._end) / SAMPLE_RATE_HZ)

    def grant(self, seconds: float) -> None:
        """Gives the candidate time: a pause under way lasts at least so long, and so may every unfinished sentence."""
        self._granted_until = max(self._granted_until, self.n_samples + int(seconds * SAMPLE_RATE_HZ))
        if self._state == "paused":
            self._held_pause = self._pause_id

    def force_end(self) -> tuple[TurnSignal, ...]:
        """Ends the turn now, as a client's commit does; nothing when no turn is under way."""
        if self._state == "idle":
            return ()
        signals: tuple[TurnSignal, ...] = () if self._state == "paused" else (self._pause(),)
        return (*signals, self._end_turn(0.0))

    def reset(self) -> None:
        """Forgets the turn under way; a voice that goes on must fall silent before it makes a new onset."""
        self._armed = self._state == "idle" and self._run == 0
        self._state = "idle"
        self._run = self._silent = 0
        self._granted_until = 0

    # ---- by state ----

    @property
    def _voiced_s(self) -> float:
        return self._voiced * VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ

    def _too_quiet_for_candidate(self) -> bool:
        return self._own_db is not None and self._edge.frame_db < self._own_db - OVER_EXAMINER_DB

    def _learn_own_level(self) -> None:
        heard_db = self._edge.voice_db
        self._own_db = heard_db if self._own_db is None else self._own_db + OWN_LEVEL_STEP * (heard_db - self._own_db)

    def _in_idle(self, voiced: bool) -> tuple[TurnSignal, ...]:
        if not voiced:
            self._run = 0
            self._armed = True
            return ()
        if not self._armed:
            return ()
        self._run += 1
        if self._run < ONSET_FRAMES:
            return ()
        self._state = "speaking"
        self._start = self.n_samples - self._run * VAD_FRAME_SAMPLES
        self._end = self.n_samples
        self._voiced, self._silent, self._run = self._run, 0, 0
        return (Onset(self._start),)

    def _in_speech(self, voiced: bool) -> tuple[TurnSignal, ...]:
        if voiced:
            self._voiced += 1
            self._silent = 0
            self._end = self._edge.last_audible
            return ()
        self._silent += 1
        if self._voiced < MIN_SPEECH_FRAMES:
            return self._withdraw() if self._silent >= WITHDRAW_FRAMES else ()
        return (self._pause(),) if self._silent >= self.patience.pause_frames else ()

    def _in_pause(self, voiced: bool) -> tuple[TurnSignal, ...]:
        self._run = self._run + 1 if voiced else 0
        if self._run >= RESUME_FRAMES:
            self._state = "speaking"
            self._voiced += self._run
            self._end = self._edge.last_audible
            sample = self.n_samples - self._run * VAD_FRAME_SAMPLES
            self._silent = self._run = 0
            return (Resume(self._pause_id, sample),)
        return self._end_if_due()

    # ---- transitions ----

    def _pause(self) -> Pause:
        self._state = "paused"
        self._pause_id += 1
        self._evidence = _Evidence()
        self._run = 0
        return Pause(self._pause_id, self._start, self._end)

    def _withdraw(self) -> tuple[TurnSignal, ...]:
        self._state = "idle"
        self._run = 0
        return (Withdrawn(self._start),)

    def _end_turn(self, needed_s: float) -> EndOfTurn:
        self._learn_own_level()
        self._state = "idle"
        self._run = 0
        return EndOfTurn(self._pause_id, self._start, self._end, self.n_samples, needed_s)

    def _end_if_due(self) -> tuple[TurnSignal, ...]:
        if self._run:  # a voice may just be starting again
            return ()
        needed_s = self._needed_s()
        if self.n_samples - self._end < needed_s * SAMPLE_RATE_HZ:
            return ()
        return (self._end_turn(needed_s),)

    def _needed_s(self) -> float:
        known = self._evidence
        if known.text is None and known.end_of_turn is None:
            complete = UNKNOWN_COMPLETENESS
        else:
            complete = completeness(known.text, known.end_of_turn, self.expects)
        settled = known.enough or bool(known.text and settles(known.text, self.expects))
        in_answer = self.expects == "answer" and not settled
        needed_s = self.patience.needed_s(complete, in_answer=in_answer)
        if known.text and asks_for_time(known.text):
            needed_s = self.patience.unfinished_s * TIME_ASKED_FACTOR
        needed_s *= self.accommodation
        if self._held_pause == self._pause_id or complete < 0.5:
            needed_s = max(needed_s, (self._granted_until - self._end) / SAMPLE_RATE_HZ)
        return needed_s
