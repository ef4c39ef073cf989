"""What can go wrong when transcripts are read or written."""

from __future__ import annotations


class TranscriptError(RuntimeError):
    """Transcripts could not be read or written; the message says what was given and what to do."""
