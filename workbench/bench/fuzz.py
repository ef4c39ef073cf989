"""`viva bench fuzz`: thousands of broken, reordered, oversized and binary events, while a neighbour sits a viva.

After every hostile event the attacker sends a marker (an event of an unknown type with an id of its own); the `error`
that answers the marker shows that everything before it has been dealt with. What came between two markers is the answer
to the event between them: an `error` that names a field, or, where the event was legal after all, anything or nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import websockets

from workbench.bench.report import rate
from workbench.realtime.protocol import MAX_EVENT_BYTES, ProtocolError, parse_client_event
from workbench.settings import Settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.behaviours import behaviour
from workbench.simulate.candidate import Candidate, CandidateRecord

EVENTS_PER_S = 150.0
"""Pace of one attacker, markers included: below the server's limit, so that events are refused for what they are."""

BURST = 700.0
ANSWER_TIMEOUT_S = 30.0

SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}},
            "viva": {"discipline": "medical", "area": "cardiology", "candidate": "Fuzz", "consent": True, "seed": 1},
        },
    },
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(960)).decode()},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "an answer"}]},
    },
    {"type": "conversation.item.truncate", "item_id": "item_0", "content_index": 0, "audio_end_ms": 100},
    {"type": "response.create"},
    {"type": "response.cancel"},
    {"type": "viva.played", "response_id": "resp_0", "n_samples": 100, "underruns": 0},
    {"type": "viva.command", "command": "repeat"},
    {"type": "viva.area", "area": "cardiology"},
    {"type": "viva.consent", "given": True},
)
"""One legal event of every type; a test holds the types equal to the protocol's."""

NASTY: tuple[Any, ...] = (
    None, True, False, -1, 0, 2**63, -(2**63), 1e308, "", "\x00", "\ud83d\ude00" * 50, "a" * 5000, [], {}, [[]],
    [None] * 100,
    {"type": "session.update"}, "../../etc/passwd", "'; DROP TABLE sessions; --", "<script>alert(1)</script>",
    "\u202e\u0000", "NaN", float("nan"), float("inf"), "{}", "null", "AAAA=", "====", "!!!!",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """One event as it goes over the wire.

    Attributes:
        kind: How it was made.
        data: Text or binary.
        must_fail: Whether the protocol refuses it whatever the state of the session.
    """

    kind: str
    data: str | bytes
    must_fail: bool


def make_event(random: Random) -> Hostile:
    """A hostile event, drawn by the generator."""
    kind = random.choices(
        (
            "not_json",
            "not_object",
            "unknown_type",
            "missing",
            "wrong_value",
            "extra",
            "binary",
            "oversized",
            "deep",
            "legal",
        ),
        weights=(10, 6, 8, 16, 30, 6, 6, 1, 2, 15),
    )[0]
    data = _MAKERS[kind](random)
    return Hostile(kind, data, _refused(data))


def _refused(data: str | bytes) -> bool:
    if isinstance(data, bytes):
        return True
    try:
        parse_client_event(data)
    except ProtocolError:
        return True
    return False


def _dump(value: Any) -> str:
    return json.dumps(value)


def _not_json(random: Random) -> str:
    text = _dump(random.choice(SAMPLES))
    cut = random.randrange(1, len(text))
    return random.choice(
        (text[:cut], text[cut:], text[:cut] + "\x00" + text[cut:], "", "{", "\ufeff" + text, "]" + text)
    )


def _not_object(random: Random) -> str:
    return _dump(random.choice([value for value in NASTY if not isinstance(value, dict)]))


def _unknown_type(random: Random) -> str:
    event = copy.deepcopy(random.choice(SAMPLES))
    event["type"] = random.choice((*NASTY, "session.create", "response.created", "SESSION.UPDATE", "viva.verdict"))
    return _dump(event)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*path, key))
    return found


def _mutated(random: Random, change: Callable[[Any, Any], None]) -> str:
    event = copy.deepcopy(random.choice(SAMPLES))
    path = random.choice(_paths(event))
    parent: Any = event
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return _dump(event)


def _missing(random: Random) -> str:
    return _mutated(random, lambda parent, key: parent.__delitem__(key))


def _wrong_value(random: Random) -> str:
    return _mutated(random, lambda parent, key: parent.__setitem__(key, random.choice(NASTY)))


def _extra(random: Random) -> str:
    def add(parent: Any, key: Any) -> None:
        if isinstance(parent, dict):
            parent[random.choice(("ticket", "resume", "admin", "__class__", "score", ""))] = random.choice(NASTY)
        else:
            parent.append(random.choice(NASTY))

    return _mutated(random, add)


def _binary(random: Random) -> bytes:
    return random.choice((random.randbytes(random.randrange(0, 2000)), _dump(SAMPLES[1]).encode(), b"\xff\xfe"))


def _oversized(random: Random) -> str:
    event = copy.deepcopy(random.choice((SAMPLES[1], SAMPLES[4])))
    filler = "A" * (MAX_EVENT_BYTES + random.randrange(1, 1000))
    if event["type"].endswith("append"):
        event["audio"] = filler
    else:
        event["item"]["content"][0]["text"] = filler
    return _dump(event)


def _deep(random: Random) -> str:
    depth = random.choice((50, 1000, 20_000))
    return random.choice(
        ("[" * depth + "]" * depth, '{"type":"session.update","session":' + '{"a":' * depth + "1" + "}" * depth + "}")
    )


def _legal(random: Random) -> str:
    # reordered: whatever its place in a session, a legal event may come at any time
    return _dump({**random.choice(SAMPLES[1:]), "event_id": f"legal_{random.randrange(10**6)}"})


_MAKERS: dict[str, Callable[[Random], str | bytes]] = {
    "not_json": _not_json, "not_object": _not_object, "unknown_type": _unknown_type, "missing": _missing,
    "wrong_value": _wrong_value, "extra": _extra, "binary": _binary, "oversized": _oversized, "deep": _deep,
    "legal": _legal,
}  # fmt: skip


@dataclass
class Attack:
    """What became of one attacker's events."""

    sent: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    disconnects: list[str] = field(default_factory=list)


class _Attacker:
    """One connection that misbehaves; it reconnects when the server has had enough of it."""

    def __init__(self, url: str, random: Random, start_viva: bool) -> None:
        self.url = url
        self.random = random
        self.start_viva = start_viva
        self.attack = Attack()
        self._between: list[dict[str, Any]] = []
        self._marker = 0
        self._seen = asyncio.Event()
        self._tokens = BURST
        self._at = time.monotonic()

    async def run(self, n: int, on_event: Callable[[], None]) -> Attack:
        left = n
        while left:
            async with websockets.connect(self.url, compression=None, max_size=None, ping_interval=None) as socket:
                self._tokens, self._at = BURST, time.monotonic()
                reader = asyncio.create_task(self._read(socket))
                try:
                    if self.start_viva:
                        await self._send(socket, _dump(SAMPLES[0]))
                    while left:
                        event = make_event(self.random)
                        self._between = []
                        await self._send(socket, event.data)
                        if not await self._mark(socket):
                            self.attack.unanswered.append(event.kind)
                        left -= 1
                        self._judge(event)
                        on_event()
                except websockets.ConnectionClosed as closed:
                    left -= 1
                    frame = closed.rcvd
                    self.attack.disconnects.append(f"{frame.code} {frame.reason}" if frame else "1006 no close frame")
                finally:
                    reader.cancel()
                    with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                        await reader
        return self.attack

    async def _send(self, socket: Any, data: str | bytes) -> None:
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._at) * EVENTS_PER_S)
        self._at = now
        if self._tokens < 1:
            await asyncio.sleep((1 - self._tokens) / EVENTS_PER_S)
        self._tokens -= 1
        if isinstance(data, str):
            # lone surrogates cannot be sent as a text frame; they are replaced as a browser would
            data = data.encode("utf-8", "replace").decode("utf-8")
        await socket.send(data)

    async def _mark(self, socket: Any) -> bool:
        self._marker += 1
        self._seen.clear()
        await self._send(socket, _dump({"type": "fuzz.marker", "event_id": f"marker_{self._marker}"}))
        try:
            await asyncio.wait_for(self._seen.wait(), ANSWER_TIMEOUT_S)
        except TimeoutError:
            return False
        if socket.close_code is not None:
            raise websockets.ConnectionClosed(socket.protocol.close_rcvd, socket.protocol.close_sent)
        return True

    async def _read(self, socket: Any) -> None:
        try:
            async for text in socket:
                event = json.loads(text)
                if event.get("type") == "error":
                    if event["error"].get("event_id") == f"marker_{self._marker}":
                        self._seen.set()
                    else:
                        self._between.append(event["error"])
        finally:
            self._seen.set()

    def _judge(self, event: Hostile) -> None:
        attack = self.attack
        attack.sent[event.kind] += 1
        if self._between:
            attack.refused[event.kind] += 1
            for error in self._between:
                attack.codes[str(error.get("code"))] += 1
                if not error.get("param") or not error.get("message"):
                    attack.nameless.append(event.kind)
        elif event.must_fail:
            attack.unanswered.append(event.kind)


async def measure(
    url: str,
    settings: Settings,
    *,
    events: int = 10_000,
    attackers: int = 6,
    seed: int = 0,
    neighbour: bool = True,
    on_event: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Attacks a running server while a typed viva is sat beside it, and compares that viva with one sat alone.

    Returns:
        Counts by kind, `unanswered` (events that had to be refused and were not), `nameless` (errors without a field),
        `disconnects`, `alive`, and `neighbour_undisturbed`.
    """
    alone = await _neighbour(url, settings, seed) if neighbour else None
    # one attacker in three has a viva of its own, the others never get that far
    crowd = [_Attacker(url, Random(f"{seed}:{i}"), start_viva=i % 3 == 0) for i in range(attackers)]
    share = [events // attackers + (i < events % attackers) for i in range(attackers)]
    beside = asyncio.create_task(_neighbour(url, settings, seed)) if neighbour else None
    attacks = await asyncio.gather(*(attacker.run(n, on_event) for attacker, n in zip(crowd, share, strict=True) if n))
    together = await beside if beside is not None else None
    sent = sum((attack.sent for attack in attacks), Counter[str]())
    unanswered = Counter(kind for attack in attacks for kind in attack.unanswered)
    nameless = Counter(kind for attack in attacks for kind in attack.nameless)
    found: dict[str, Any] = {
        "events": sum(sent.values()),
        "sent": dict(sorted(sent.items())),
        "refused": dict(sorted(sum((a.refused for a in attacks), Counter[str]()).items())),
        "codes": dict(sorted(sum((a.codes for a in attacks), Counter[str]()).items())),
        "unanswered": dict(unanswered),
        "nameless": dict(nameless),
        "answered_rate": rate(sum(sent.values()) - sum(unanswered.values()), sum(sent.values())),
        "disconnects": dict(Counter(reason for attack in attacks for reason in attack.disconnects)),
        "alive": await _alive(url),
    }
    if alone is not None and together is not None:
        found["neighbour"] = {"alone": _marks(alone), "beside": _marks(together)}
        found["neighbour_undisturbed"] = (
            alone.failure is None and together.failure is None and alone.points == together.points
        )
    return found


async def _alive(url: str) -> bool:
    try:
        async with websockets.connect(url, compression=None, open_timeout=10) as socket:
            return json.loads(await asyncio.wait_for(socket.recv(), 10))["type"] == "session.created"
    except (OSError, TimeoutError, websockets.WebSocketException):
        return False


async def _neighbour(url: str, settings: Settings, seed: int) -> CandidateRecord:
    candidate = Candidate("Nora Field", behaviour("mixed"), AnswerBook(settings), None, seed=seed, speed=16.0)
    return await candidate.sit(url, timeout_s=600)


def _marks(record: CandidateRecord) -> dict[str, Any]:
    return {"failure": record.failure, "score": record.score, "points": record.points, "errors": len(record.errors)}
