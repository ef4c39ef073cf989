"""Fillers and repairs in what was said.

Recognisers leave many of them out (Whisper was trained on tidy text), so that counts are lower bounds, and comparable
only between vivas heard by the same recogniser; `text_corrected` by a person has them all.
"""

from __future__ import annotations

import re

import pandas as pd

from workbench.statistics.tables import require

FILLERS = frozenset("uh uhh um umm uhm er err erm eh ah ahem hm hmm mm mmm mhm".split())
"""Sounds that hold the floor and mean nothing (Clark and Fox Tree 2002, Cognition 84:73)."""

EDITING_TERMS = (
    "i mean", "sorry", "no wait", "wait no", "or rather", "i should say", "correction", "let me rephrase",
    "scratch that", "let me start again", "that is to say",
)  # fmt: skip
"""Wordings that announce a repair (Levelt 1983, Cognition 14:41)."""

EMPHATIC = frozenset("very really no yes yeah so much many more far long well please ha bye okay ok right".split())
"""Words that are doubled for emphasis, which is no repair."""

REPAIR_COLUMNS = ["session_id", "turn_index", "speaker", "kind", "at_word", "words"]
_WORD = re.compile(r"[\w']+-?|-{2,}", re.UNICODE)


def filler_rates(turns: pd.DataFrame, *, text: str = "text") -> pd.DataFrame:
    """Filled pauses of each speaker in each viva, per 100 words.

    rate = 100 fillers / words, the fillers counted among the words (Bortfeld et al. 2001, Lang Speech 44:123, found
    2.6 in 100 in conversation). Missing values: a turn without text has no words; a speaker without words no rate.

    Args:
        turns: `session_id, speaker` and the text.
        text: Its column: `text` as recognised, `text_corrected` as a person wrote it down.

    Returns:
        `session_id, speaker, n_words, n_fillers, per_100_words`.

    >>> text = ["Um, it is uh a blood clot in, er, in"]
    >>> turns = pd.DataFrame({"session_id": ["s"], "speaker": ["candidate"], "text": text})
    >>> filler_rates(turns)[["n_words", "n_fillers", "per_100_words"]].values.tolist()
    [[10.0, 3.0, 30.0]]
    """
    require(turns, ["session_id", "speaker", text], "turns")
    words = turns[text].astype("string").fillna("").map(tokens)
    counts = pd.DataFrame(
        {
            "session_id": turns["session_id"],
            "speaker": turns["speaker"].astype(object),
            "n_words": words.map(len).astype("int64"),
            "n_fillers": words.map(lambda said: sum(word in FILLERS for word in said)).astype("int64"),
        }
    )
    found = counts.groupby(["session_id", "speaker"], sort=True, as_index=False)[["n_words", "n_fillers"]].sum()
    return found.assign(per_100_words=100 * found["n_fillers"] / found["n_words"].where(found["n_words"] > 0))


def repairs(turns: pd.DataFrame, *, text: str = "text") -> pd.DataFrame:
    """Places at which a speaker took back, broke off or said again what they were saying.

    Three kinds (Levelt 1983; Shriberg 1994): `repetition`, one to three words at once again, doubled emphasis and
    numerals apart; `cut-off`, a word written with a hyphen at its end; `editing term`, "I mean", "no wait" ... Rules,
    not a model: read a sample before you quote a rate. Missing values: a turn without text has none.

    Args:
        turns: `session_id, turn_index, speaker` and the text.
        text: Its column.

    Returns:
        `session_id, turn_index, speaker, kind, at_word, words`.

    >>> turns = pd.DataFrame({
    ...     "session_id": ["s"], "turn_index": [3], "speaker": ["candidate"],
    ...     "text": ["You give the, the cardi- I mean the adrenaline very very slowly"],
    ... })
    >>> repairs(turns)[["kind", "at_word", "words"]].values.tolist()
    [['repetition', 2, 'the'], ['cut-off', 4, 'cardi-'], ['editing term', 5, 'i mean']]
    """
    require(turns, ["session_id", "turn_index", "speaker", text], "turns")
    rows: list[tuple[object, ...]] = []
    texts = turns[text].astype("string").fillna("")
    columns = (turns[name].tolist() for name in ("session_id", "turn_index", "speaker"))
    for session, turn, speaker, said in zip(*columns, texts.tolist(), strict=True):
        rows += [(session, turn, speaker, *found) for found in repairs_in(said)]
    return pd.DataFrame(rows, columns=REPAIR_COLUMNS)


def repairs_in(said: str) -> list[tuple[str, int, str]]:
    """Kind, place and words of each repair of one text, in order; see `repairs`."""
    words = tokens(said)
    found: list[tuple[str, int, str]] = []
    heard = [(place, word) for place, word in enumerate(words) if word not in FILLERS]
    at = 0
    while at < len(heard):
        for size in (3, 2, 1):
            first = [word for _, word in heard[at : at + size]]
            again = [word for _, word in heard[at + size : at + 2 * size]]
            tells = not all(word in EMPHATIC or word[0].isdigit() or word.endswith("-") for word in first)
            if len(again) == size and first == again and tells:
                found.append(("repetition", heard[at][0], " ".join(first)))
                at += size
                break
        at += 1
    found += [("cut-off", place, word) for place, word in enumerate(words) if word.endswith("-") and len(word) > 1]
    for term in EDITING_TERMS:
        parts = term.split()
        for place in range(len(words) - len(parts) + 1):
            if words[place : place + len(parts)] == parts:
                found.append(("editing term", place, term))
    return sorted(found, key=lambda one: one[1])


def tokens(said: str) -> list[str]:
    """Lower-case words without punctuation; a hyphen at the end of a word stays, it marks a cut-off."""
    return [word.lower() for word in _WORD.findall(said) if not word.startswith("--")]
