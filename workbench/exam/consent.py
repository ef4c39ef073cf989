"""The texts candidates agree to, by version; the version is kept with the session, so its text can always be shown.

A text that was agreed to is never changed: a new wording gets a new version and the old one stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ConsentText:
    """One version.

    Attributes:
        version: Kept with the session.
        written: What the page shows; `{retention_days}` and `{keeps}` are filled in by `written_consent`.
        keeps_recording: What `{keeps}` is where recordings are kept.
    """

    version: str
    written: str
    keeps_recording: str


_TEXTS = (
    ConsentText(
        version="2026-11",
        written=(
            "You will talk with a computer. It writes down what you say and marks it, and it can be wrong. Your"
            " answers, {keeps}and the marks are kept for {retention_days} days for your educators, and for research"
            " under a code instead of your name; then they are deleted, or earlier if you ask. You may stop at any"
            " time."
        ),
        keeps_recording="the recording, if you allow it, ",
    ),
)

CONSENT_TEXTS: Mapping[str, ConsentText] = {text.version: text for text in _TEXTS}
"""Every text anybody may have agreed to."""

CONSENT_VERSION = _TEXTS[-1].version
"""The version agreed to from now on."""


def written_consent(*, retention_days: int, record_audio: bool, version: str = CONSENT_VERSION) -> str:
    """The text of a version as the page shows it.

    Args:
        retention_days: Days everything is kept.
        record_audio: Whether recordings are kept at all.
        version: One of `CONSENT_TEXTS`.

    Raises:
        KeyError: No such version; the message lists those there are.
    """
    if version not in CONSENT_TEXTS:
        raise KeyError(f"no consent text {version!r}; there are {', '.join(CONSENT_TEXTS)}")
    text = CONSENT_TEXTS[version]
    return text.written.format(keeps=text.keeps_recording if record_audio else "", retention_days=f"{retention_days:d}")
