"""What may be watched of the vivas a process holds: where each stands and how fast it is, nothing of the words."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.exam.model import Phase
from workbench.realtime.server import RealtimeServer
from workbench.realtime.telling import Floor


@dataclass(frozen=True)
class Watched:
    """A running viva at one moment.

    Attributes:
        number: Question being asked, from 1; 0 before the first.
        total: Questions of the whole exam.
        phase: Part of the exam.
        floor: Whose turn it is.
        latency_ms: From the last voiced sample to the first sound of the last reply; None before one.
        n_turns: Replies given to what the candidate said.
        connected: Whether the candidate is there; a lost one may still come back.
    """

    number: int
    total: int
    phase: Phase
    floor: Floor
    latency_ms: float | None
    n_turns: int
    connected: bool


def watched(server: RealtimeServer) -> dict[str, Watched]:
    """Every viva this process holds, by session; safe to call from any thread."""
    found = {}
    for session_id, conversation in list(server.conversations.items()):
        examiner = conversation.examiner
        state = examiner.state
        found[session_id] = Watched(
            number=state.number,
            total=state.total,
            phase=state.phase,
            floor=conversation.floor,
            latency_ms=examiner.latency_ms,
            n_turns=examiner.n_turns,
            connected=server.connected(session_id),
        )
    return found
