"""A simulated candidate: hears the examiner out (or not), thinks, and answers by voice or by keyboard to the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from workbench.exam.model import Verdict
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import Aside, Behaviour, MakeNoise, Press, Say, Situation, Turn, Wait
from workbench.simulate.client import Disconnected, VivaClient
from workbench.simulate.microphone import Spoken
from workbench.simulate.sound import Clip
from workbench.simulate.timing import TurnTiming, timing_of
from workbench.simulate.voices import QUIET, VOICES, Studio, Surroundings, Voice, background_of

log = logging.getLogger(__name__)

REACTION_S = (0.35, 0.9)
"""A person's pause between the end of a question and the first word, seconds."""

NO_REPLY_S = 25.0
"""An answer nobody reacts to for this long is given again."""

MAX_REPEATS = 4
"""Turns on one question after which a candidate gives up and presses skip."""

TALK = (
    "Hello, I am a little nervous about my examination tomorrow.",
    "What do you think is the best way to prepare for a viva?",
    "I worked on the cardiology ward last month, and I liked it very much.",
    "How should I explain a heart attack to a patient?",
    "I find it hard to remember the doses of all the medicines.",
    "Can you tell me something about the electrocardiogram?",
    "What is the most common mistake that students make?",
    "I slept badly, so I am rather tired today.",
    "My favourite subject is physiology, because everything fits together.",
    "Do you have any advice about staying calm?",
    "Which book would you read first?",
    "Thank you, that helps me a lot.",
)


@dataclass
class CandidateRecord:
    """How one viva went.

    Attributes:
        expected: Verdict each question should have got, by number.
        verdicts: Verdict it got.
        points: Points it got.
        heard: What the examiner understood of each answer.
        timings: One entry a spoken answer that was replied to.
        asides: One entry for everything done while the examiner spoke: what, when, and whether the reply survived.
        failure: Why the viva did not come to its end, None when it did.
    """

    name: str
    behaviour: str
    mode: str
    seed: int
    voice: str
    surroundings: str
    typed: bool
    questions: list[str] = field(default_factory=list)
    expected: dict[int, Verdict] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    points: dict[int, float] = field(default_factory=dict)
    heard: dict[int, str] = field(default_factory=dict)
    score: float | None = None
    max_score: float | None = None
    completed: bool = False
    timings: list[TurnTiming] = field(default_factory=list)
    asides: list[dict[str, Any]] = field(default_factory=list)
    unanswered: int = 0
    underruns: list[tuple[str, int, float]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    microphone_lag_s: float = 0.0
    duration_s: float = 0.0
    session_id: str = ""
    failure: str | None = None

    @property
    def agreement(self) -> float | None:
        """Share of answers whose verdict is the expected one; None when none was marked."""
        both = [number for number in self.expected if number in self.verdicts]
        if not both:
            return None
        return sum(self.expected[n] == self.verdicts[n] for n in both) / len(both)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "agreement": self.agreement}


class Candidate:
    """One candidate of a cohort.

    Args:
        name: Name given to the examiner.
        behaviour: How it behaves.
        book: What it knows.
        studio: Makes its voice; None types.
        mode: `practice`, `exam` or `talk`.
        seed: Seed of the exam and of everything the candidate draws.
        voice: How it sounds.
        surroundings: Where it sits.
        options: Further fields of the `viva` object (discipline, area, patience, ...).
        max_questions: Leaves after this many questions (talk: turns); None sits the whole viva.
        speed: Speed of the loudspeaker; more than 1 only for typing candidates.
        echo_db: Loudspeaker in the microphone; None for a headset.
    """

    def __init__(
        self,
        name: str,
        behaviour: Behaviour,
        book: AnswerBook,
        studio: Studio | None,
        *,
        mode: str = "practice",
        seed: int = 0,
        voice: Voice = VOICES[0],
        surroundings: Surroundings = QUIET,
        options: dict[str, Any] | None = None,
        max_questions: int | None = None,
        speed: float = 1.0,
        echo_db: float | None = None,
    ) -> None:
        self.name = name
        self.behaviour = behaviour
        self.book = book
        self.studio = studio
        self.mode = mode
        self.seed = seed
        self.voice = voice
        self.surroundings = surroundings
        self.max_questions = max_questions
        self.options: dict[str, Any] = {
            "discipline": "medical",
            "area": "cardiology",
            "candidate": name,
            "consent": True,
            "mode": mode,
            "seed": seed,
            **(options or {}),
        }
        self.speed = speed
        self.echo_db = echo_db
        self.record = CandidateRecord(
            name, behaviour.name, mode, seed, voice.name, surroundings.name, typed=studio is None
        )
        self.clips: dict[tuple[str | float, ...], Clip] = {}
        self._attempts: dict[str, int] = {}
        self._answered: set[str] = set()
        self._aside_random = Random(f"{seed}:asides")
        self._spoken: list[Spoken] = []
        self._talk_turn = 0

    # ---- before the viva ----

    async def prepare(self) -> None:
        """Synthesises everything it may say, so that nothing competes with the server during the viva."""
        if self.studio is None:
            return
        says: list[Say] = [Say((text,)) for text in self._opening_texts()]
        if self.mode == "talk":
            says += [Say((text,)) for text in TALK]
        else:
            for question_id in self.book.question_ids(self.options["discipline"], self.options["area"]):
                for attempt in (0, 1):
                    for probe in (False, True):
                        turn = self.behaviour.turn(self._situation(question_id, attempt, probe))
                        says += [step for step in turn.steps if isinstance(step, Say)]
        for draw in range(64):
            aside = self.behaviour.aside(Random(f"{self.seed}:prepare:{draw}"))
            if aside is not None and isinstance(aside.step, Say):
                says.append(aside.step)
        for item in says:
            await self._clip(item)

    def _opening_texts(self) -> list[str]:
        areas = self.book.areas.get(self.options["discipline"], {})
        return [
            f"My name is {self.name}.",
            "Yes, I do.",
            "No, go on please.",
            *(f"{t}, please." for t in areas.values()),
        ]

    async def _clip(self, say: Say) -> Clip:
        assert self.studio is not None
        if say.parts not in self.clips:
            self.clips[say.parts] = await self.studio.say_parts(say.parts, self.voice, self.surroundings)
        return self.clips[say.parts]

    def _situation(self, question_id: str, attempt: int, probe: bool) -> Situation:
        # drawn by question, not in order, so that what is prepared is what is said
        random = Random(f"{self.seed}:{question_id}:{attempt}")
        return Situation(self.book, random, question_id, attempt, probe, answered=question_id in self._answered)

    # ---- the viva ----

    async def sit(self, url: str, timeout_s: float = 3600.0, **client: Any) -> CandidateRecord:
        """Sits the viva and returns how it went; a failure is part of the record, never raised."""
        background = None
        if self.studio is not None:
            background = background_of(self.surroundings, self.studio.settings, self.seed)
        connection = VivaClient(
            url,
            self.options,
            background=background,
            microphone=self.studio is not None,
            speed=self.speed,
            echo_db=self.echo_db,
            **client,
        )
        started_s = connection.clock()
        try:
            async with asyncio.timeout(timeout_s):
                async with connection:
                    asides = asyncio.create_task(self._asides(connection), name="asides")
                    try:
                        await self._converse(connection)
                    finally:
                        asides.cancel()
                        await asyncio.gather(asides, return_exceptions=True)
        except TimeoutError:
            self.record.failure = f"not over after {timeout_s:.0f} s (phase {connection.state.get('phase')})"
        except (Disconnected, OSError) as error:
            self.record.failure = f"{type(error).__name__}: {error}"
        self._conclude(connection, started_s)
        return self.record

    def _conclude(self, client: VivaClient, started_s: float) -> None:
        record = self.record
        record.duration_s = client.clock() - started_s
        record.session_id = client.state.get("session_id", "")
        record.questions = list(dict.fromkeys(question["question_id"] for question in client.questions))
        record.verdicts = {number: event["verdict"] for number, event in client.verdicts.items()}
        record.points = {number: event["points"] for number, event in client.verdicts.items()}
        record.heard = {number: event["answer"] for number, event in client.verdicts.items()}
        record.underruns = client.playout.underruns()
        record.errors = list(client.errors)
        record.microphone_lag_s = client.microphone_lag_s
        record.timings = [t for t in (timing_of(client, spoken) for spoken in self._spoken) if t.response_id]
        if client.report is not None:
            record.score, record.max_score = client.report["score"], client.report["max_score"]
            record.completed = client.report["completed"]
        elif record.failure is None:
            record.failure = "the report never came"

    async def _converse(self, client: VivaClient) -> None:
        while not client.over():
            if not await client.until(lambda: client.over() or client.has_floor() or self._paused(client), 180):
                self.record.failure = "the examiner held the floor for three minutes"
                return
            if client.over():
                return
            if self._enough(client):
                await self._leave(client)
                return
            phase = client.state["phase"]
            if phase in ("judging", "closing", "done", "new"):
                await asyncio.sleep(0.05)
                continue
            await self._take_floor(client, phase)

    def _paused(self, client: VivaClient) -> bool:
        return client.state.get("floor") == "paused" and not client.speaking()

    def _enough(self, client: VivaClient) -> bool:
        if self.max_questions is None:
            return self.mode == "talk" and self._talk_turn >= len(TALK)
        done = self._talk_turn if self.mode == "talk" else client.state.get("number", 0) - 1
        return done >= self.max_questions

    async def _leave(self, client: VivaClient) -> None:
        """Ends the viva early, as the page's End button does."""
        await client.press("stop")
        await client.until(lambda: client.over() or client.state.get("phase") in ("confirm_stop", "done"), 20)
        if client.state.get("phase") == "confirm_stop":
            await client.press("confirm")
        await client.until(client.over, 60)

    async def _take_floor(self, client: VivaClient, phase: str) -> None:
        n_before = len(client.responses)
        await asyncio.sleep(Random(f"{self.seed}:{n_before}").uniform(*REACTION_S) / self.speed)
        if client.speaking():
            return  # the examiner spoke up first
        turn = self._turn(client, phase)
        for step in turn.steps:
            if client.speaking() and not isinstance(step, Say):
                break
            await self._do(client, step)
        if any(isinstance(step, Say | Press) for step in turn.steps):
            number = client.state.get("number", 0)
            if turn.expected is not None and self.mode != "talk":
                self.record.expected.setdefault(number, turn.expected)
            answered = await client.until(lambda: client.over() or len(client.responses) > n_before, NO_REPLY_S)
            if not answered:
                self.record.unanswered += 1

    def _turn(self, client: VivaClient, phase: str) -> Turn:
        if phase == "paused":
            return Turn((Press("resume"),), answers=False)
        if self.mode == "talk":
            text = TALK[(self.seed + self._talk_turn) % len(TALK)]
            self._talk_turn += 1
            return Turn((Say((text,)),), answers=True)
        if phase == "name":
            return Turn((Say((f"My name is {self.name}.",)),), answers=False)
        if phase == "consent":
            return Turn((Say(("Yes, I do.",)),), answers=False)
        if phase == "area":
            titles = self.book.areas.get(self.options["discipline"], {})
            return Turn((Say((f"{next(iter(titles.values()), 'The first one')}, please.",)),), answers=False)
        if phase == "confirm_stop":
            return Turn((Say(("No, go on please.",)),), answers=False)
        question_id = client.question["question_id"] if client.question else ""
        attempt = self._attempts.get(question_id, 0)
        self._attempts[question_id] = attempt + 1
        if attempt >= MAX_REPEATS:
            return Turn((Press("skip"),), answers=True)
        turn = self.behaviour.turn(self._situation(question_id, attempt, phase == "probe"))
        if turn.answers:
            self._answered.add(question_id)
        return turn

    async def _do(self, client: VivaClient, step: Say | Wait | Press | MakeNoise) -> None:
        match step:
            case Say() if self.studio is None:
                await client.type(step.text)
            case Say():
                spoken = client.say(await self._clip(step))
                self._spoken.append(spoken)
                await client.sleep_until(spoken.end_s)
            case Wait(seconds=seconds):
                await client.until(lambda: client.over() or client.speaking(), seconds / self.speed)
            case Press(command=command):
                await client.press(command)
            case MakeNoise(kind=kind, seed=seed) if self.studio is not None:
                await client.sleep_until(client.say(self.studio.noise(kind, seed)).end_s)

    # ---- what is done while the examiner speaks ----

    async def _asides(self, client: VivaClient) -> None:
        if self.studio is None:
            return
        seen: set[str] = set()
        with contextlib.suppress(Disconnected):
            while not client.over():
                await client.until(lambda: client.over() or bool(set(client.responses) - seen), 600)
                for response_id in set(client.responses) - seen:
                    seen.add(response_id)
                    aside = self.behaviour.aside(self._aside_random)
                    if aside is not None and client.state.get("phase") in ("question", "probe", "judging"):
                        await self._aside(client, response_id, aside)

    async def _aside(self, client: VivaClient, response_id: str, aside: Aside) -> None:
        def reached() -> bool:
            heard = client.playout.responses.get(response_id)
            return heard is not None and heard.played >= aside.after_s * client.output_hz

        def gone() -> bool:
            return client.over() or client.responses[response_id].done_s is not None

        await client.until(lambda: reached() or gone(), 60)
        if gone():
            return
        step = aside.step
        clip = await self._clip(step) if isinstance(step, Say) else self.studio.noise(step.kind, step.seed)  # type: ignore[union-attr]
        spoken = client.say(clip)
        await client.until(gone, 60)
        self.record.asides.append(
            {
                "kind": "interruption" if aside.takes_floor else ("words" if isinstance(step, Say) else step.kind),
                "takes_floor": aside.takes_floor,
                "at_s": spoken.first_voiced_s,
                "status": client.responses[response_id].status,
            }
        )


def dump_records(records: list[CandidateRecord]) -> str:
    """The records as JSON text."""
    return json.dumps([record.as_dict() for record in records], indent=1)
