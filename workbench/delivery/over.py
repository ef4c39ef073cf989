"""Whether a viva is over for good: what is sent of one that goes on is half of it."""

from __future__ import annotations

from datetime import UTC, datetime

from workbench.delivery.errors import DeliveryError
from workbench.store.rows import SessionRow


def require_over(session: SessionRow, now: datetime | None, todo: str) -> None:
    """Refuses a session whose candidate may still come back to it and go on.

    Args:
        session: The session.
        now: The moment; None for the clock's.
        todo: What to do afterwards instead, such as `archive it`.

    Raises:
        DeliveryError: The session was abandoned, and may be taken up again; the message says until when.
    """
    until = session.resumable_until
    if until is not None and session.may_be_resumed(now or datetime.now(UTC)):
        raise DeliveryError(
            f"session {session.id} was abandoned, and its candidate may come back and go on until"
            f" {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC; {todo} after that"
        )
