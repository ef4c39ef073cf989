"""The one error the store raises for things a person can put right."""


class StoreError(RuntimeError):
    """The store could not do what was asked; the message says what was tried and what to do about it."""


class SessionNotFound(StoreError):
    """No session has that id (it may have been deleted)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id[:80]!r}; `viva sessions list` shows the ones kept")
        self.session_id = session_id


class StillRunning(StoreError):
    """A viva that cannot be deleted from under its candidate."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id} is still running; delete it when it has ended (one that a killed server left ends"
            " when the server starts again)"
        )


class NotFound(StoreError):
    """Nothing of that id is kept; `what` says of which kind."""

    def __init__(self, what: str, given: object) -> None:
        super().__init__(f"no {what} {str(given)[:80]!r}; it may have been deleted, list the ones kept")
        self.what = what


class InvitationRefused(StoreError):
    """A link that does not open a viva now; the message is written for the candidate who followed it.

    Attributes:
        code: `unknown`, `revoked`, `not_yet`, `expired` or `used`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
