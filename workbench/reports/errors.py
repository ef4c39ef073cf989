"""What can go wrong when a report becomes a file."""

from __future__ import annotations


class ReportFailed(RuntimeError):
    """A file could not be made; the message says what to do."""
