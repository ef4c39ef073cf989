"""Stop strings in streamed text."""

from __future__ import annotations

from collections.abc import Sequence


class HeldBack:
    """Streams text up to the first stop string; what may be the beginning of one is held back."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._text = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is certainly before any stop string."""
        self._text += text
        found = [at for at in map(self._text.find, self._stop) if at >= 0]
        if found:
            self.stopped = True
            ready, self._text = self._text[: min(found)], ""
            return ready
        hold = max(
            (n for text in self._stop for n in range(1, len(text)) if self._text.endswith(text[:n])),
            default=0,
        )
        ready, self._text = self._text[: len(self._text) - hold], self._text[len(self._text) - hold :]
        return ready

    def flush(self) -> str:
        """What was held back, once nothing more comes."""
        ready, self._text = self._text, ""
        return ready
