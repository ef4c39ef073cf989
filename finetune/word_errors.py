"""Word errors between what was said and what was heard, after the normalisation Whisper is measured with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


def normalised(text: str) -> str:
    """Lower case, one spelling, numbers in figures, no punctuation and no "um" (Radford et al. 2022, appendix C).

    Raises:
        RuntimeError: The package that has the normaliser is not installed.
    """
    return str(_normaliser()(text))


@lru_cache(maxsize=1)
def _normaliser() -> Any:
    try:
        from whisper.normalizers import EnglishTextNormalizer
    except ImportError as error:
        raise RuntimeError(
            f"word errors need the text normaliser of openai-whisper ({error}); install it: "
            "pip install 'viva-workbench[whisper]'"
        ) from error
    return EnglishTextNormalizer()


def word_error_rate(said: str, heard: str) -> float:
    """Substituted, left out and added words per word said; nothing said and nothing heard is 0.

    >>> word_error_rate("the haemoglobin is twelve", "the hemoglobin was 12")
    0.25
    """
    import jiwer

    reference, hypothesis = normalised(said), normalised(heard)
    if not reference:
        return float(len(hypothesis.split()))
    return float(jiwer.wer(reference, hypothesis))
