"""What can go wrong on the way out."""

from __future__ import annotations


class DeliveryError(RuntimeError):
    """Something was not delivered; the message says why and what to do.

    Attributes:
        uncertain: Whether it may have arrived all the same.
    """

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class NotConfigured(DeliveryError):
    """This way out is off; the message names the settings that turn it on."""


class Transient(DeliveryError):
    """Worth another try.

    Attributes:
        wait_s: What the other side asked to wait, None when it did not say.
    """

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s
