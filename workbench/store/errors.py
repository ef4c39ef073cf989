"""The one error the store raises for things a person can put right."""


class StoreError(RuntimeError):
    """The store could not do what was asked; the message says what was tried and what to do about it."""


class SessionNotFound(StoreError):
    """No session has that id (it may have been deleted)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id[:80]!r}; `viva sessions list` shows the ones kept")
        self.session_id = session_id
