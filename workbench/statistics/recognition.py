"""What the recogniser gets wrong, for whom, and what that costs in marks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from workbench.statistics.core import group_draws, pearson, percentile_interval
from workbench.statistics.tables import N_DRAWS, bootstrap, counted, present, require, with_interval

ERROR_COLUMNS = ["n_turns", "n_sessions", "n_words", "substitutions", "deletions", "insertions", "wer", "low", "high"]
TERM_COLUMNS = ["term", "n_said", "n_heard", "recall", "low", "high", "heard_as"]
COST_COLUMNS = [
    "n", "n_sessions", "mean_cost", "low", "high", "share_lowered", "share_raised", "per_10_points_wer", "slope_low",
    "slope_high", "correlation",
]  # fmt: skip
_NOT_WORD = re.compile(r"[^\w' ]+")


def normalised(text: str) -> str:
    """Lower case, no punctuation, single spaces: what is compared of a text, so that commas are no errors.

    >>> normalised("St. Elevation -- in V1,  V2")
    'st elevation in v1 v2'
    """
    return " ".join(_NOT_WORD.sub(" ", text.lower()).split())


def turn_errors(turns: pd.DataFrame) -> pd.DataFrame:
    """Words of each corrected turn that were recognised wrongly.

    Substitutions, deletions and insertions of the cheapest alignment of `text` to `text_corrected` (jiwer; both
    `normalised`). Missing values: turns that nobody corrected, typed ones and corrections without a word are left out:
    what was not listened to is not known to be right.

    Args:
        turns: `session_id, turn_index, text, text_corrected`, and `typed` and anything to group by.

    Returns:
        The rows kept, with `n_words, hits, substitutions, deletions, insertions, wer` added.

    >>> turns = pd.DataFrame({
    ...     "session_id": ["s"], "turn_index": [1], "text": ["give adrenaline for hyper kalemia"],
    ...     "text_corrected": ["give adrenaline for hyperkalaemia"],
    ... })
    >>> turn_errors(turns)[["n_words", "substitutions", "insertions", "wer"]].values.tolist()
    [[4.0, 1.0, 1.0, 0.5]]
    """
    require(turns, ["session_id", "turn_index", "text", "text_corrected"], "turns")
    import jiwer

    kept = turns[~turns["typed"].astype(bool)] if "typed" in turns else turns
    kept = present(kept, ["text_corrected"])
    said = [normalised(text) for text in kept["text_corrected"]]
    heard = [normalised(text) for text in kept["text"].astype("string").fillna("")]
    kept = kept[np.array([bool(text) for text in said], bool)].reset_index(drop=True)
    rows = []
    for reference, hypothesis in zip(said, heard, strict=True):
        if reference:
            found = jiwer.process_words(reference, hypothesis)
            rows.append([found.hits, found.substitutions, found.deletions, found.insertions])
    counts = pd.DataFrame(rows, columns=["hits", "substitutions", "deletions", "insertions"], dtype="int64")
    counts.insert(0, "n_words", counts["hits"] + counts["substitutions"] + counts["deletions"])
    wrong = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    return pd.concat([kept, counts, (wrong / counts["n_words"]).rename("wer")], axis=1)


def word_error_rates(
    errors: pd.DataFrame, by: str | list[str] | None = None, *, n_draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Word error rate of groups of turns with bootstrap intervals over vivas.

    WER = (substitutions + deletions + insertions) / words said, summed over the group's turns, so that long turns weigh
    more; intervals after Bisani and Ney (2004, ICASSP). It can exceed 1. Compare groups only on like material: the same
    questions, the same microphones. Missing values: as in `turn_errors`; a group of one viva has no interval.

    Args:
        errors: The table of `turn_errors`.
        by: Columns to group by, for instance `group`.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.

    >>> errors = pd.DataFrame({
    ...     "session_id": ["a", "b"], "n_words": [10, 30], "substitutions": [1, 1], "deletions": [0, 1],
    ...     "insertions": [0, 1],
    ... })
    >>> word_error_rates(errors)[["n_words", "wer"]].values.tolist()
    [[40.0, 0.1]]
    """
    keys = [by] if isinstance(by, str) else list(by or [])
    parts = ["n_words", "substitutions", "deletions", "insertions"]
    require(errors, ["session_id", *parts, *keys], "recognition errors by turn")
    rows = []
    groups = errors.groupby(keys, observed=True, dropna=False) if keys else [((), errors)]
    for key, group in groups:
        sums = group.groupby("session_id", observed=True)[parts].sum().to_numpy(float)
        named = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        total = sums.sum(axis=0) if len(sums) else np.zeros(4)
        low, high = math.nan, math.nan
        if len(sums) > 1:
            drawn = [sums[draw].sum(axis=0) for draw in group_draws(range(len(sums)), n_draws, seed=seed)]
            low, high = percentile_interval([one[1:].sum() / one[0] for one in drawn])
        wer = float(total[1:].sum() / total[0]) if total[0] else math.nan
        rows.append([*named.values(), len(group), len(sums), *total.astype(int), wer, low, high])
    return pd.DataFrame(rows, columns=[*keys, *ERROR_COLUMNS])


def term_recall(turns: pd.DataFrame, terms: Iterable[str]) -> pd.DataFrame:
    """How often each term that was said was also heard, the worst first.

    An average word error rate hides the words that earn the marks.

    recall = times heard in the alignment / times said, with Wilson's interval (1927, J Am Stat Assoc 22:209). A term
    is heard where all its words stand in what was aligned to it; words put in before or after are no loss.
    `heard_as` is the most frequent wrong hearing. Missing values: as in `turn_errors`; a term never said has a row
    with n 0 and NaN.

    Args:
        turns: `session_id, turn_index, text, text_corrected`.
        terms: Words or phrases, written as in the corrected text.

    >>> turns = pd.DataFrame({
    ...     "session_id": ["s", "t"], "turn_index": [1, 1], "text": ["give a dentist scene", "adenosine it is"],
    ...     "text_corrected": ["give adenosine", "adenosine it is"],
    ... })
    >>> term_recall(turns, ["adenosine"])[["n_said", "n_heard", "recall"]].values.tolist()
    [[2.0, 1.0, 0.5]]
    """
    from statsmodels.stats.proportion import proportion_confint

    wanted = {normalised(term): term for term in terms}
    aligned = [_aligned(said, heard) for said, heard in _compared(turns)]
    rows = []
    for key, term in wanted.items():
        parts = key.split()
        n_said = n_heard = 0
        wrong: dict[str, int] = {}
        for words, hearings in aligned:
            for at in range(len(words) - len(parts) + 1):
                if words[at : at + len(parts)] == parts:
                    n_said += 1
                    heard = " ".join(hearings[at : at + len(parts)]).strip()
                    if f" {key} " in f" {heard} ":
                        n_heard += 1
                    else:
                        wrong[heard] = wrong.get(heard, 0) + 1
        low, high = proportion_confint(n_heard, n_said, method="wilson") if n_said else (math.nan, math.nan)
        recall = n_heard / n_said if n_said else math.nan
        rows.append(
            [term, n_said, n_heard, recall, float(low), float(high), max(wrong, key=wrong.__getitem__, default="")]
        )
    found = pd.DataFrame(rows, columns=TERM_COLUMNS)
    return found.sort_values(["recall", "term"], ignore_index=True)


def mark_cost(pairs: pd.DataFrame, *, n_draws: int = N_DRAWS, seed: int = 0) -> pd.DataFrame:
    """What recognition costs: marks of the answers as heard less marks of the same answers as said, by the same judge.

    `mean_cost` is the mean over answers; `per_10_points_wer` the slope of the cost on the answer's word error rate, in
    points for .10. The intervals of both are percentile bootstraps over vivas. Both marks must come from one judge:
    only the text may differ. Missing values: answers that lack a figure are left out; fewer than two vivas: no
    intervals.

    Args:
        pairs: One row an answer: `session_id, points_heard, points_said, wer`.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.

    Returns:
        One row.

    >>> pairs = pd.DataFrame({
    ...     "session_id": list("aabb"), "points_heard": [8.0, 4.0, 6.0, 9.0], "points_said": [8.0, 6.0, 7.0, 9.0],
    ...     "wer": [0.0, 0.3, 0.1, 0.0],
    ... })
    >>> mark_cost(pairs)[["n", "mean_cost", "share_lowered"]].values.tolist()
    [[4.0, -0.75, 0.5]]
    """
    names = ["session_id", "points_heard", "points_said", "wer"]
    require(pairs, names, "marks as heard and as said")
    known = present(pairs, names)
    if not len(known):
        return pd.DataFrame([[0, 0, *[math.nan] * 9]], columns=COST_COLUMNS)
    cost = (known["points_heard"] - known["points_said"]).to_numpy(float)
    wer = known["wer"].to_numpy(float)
    vivas = known["session_id"].tolist()
    low, high = bootstrap(lambda rows: float(cost[rows].mean()), vivas, n_draws=n_draws, seed=seed)
    slope_low, slope_high = bootstrap(lambda rows: _slope(wer[rows], cost[rows]), vivas, n_draws=n_draws, seed=seed)
    row = [
        len(known), len(set(vivas)), float(cost.mean()), low, high, np.mean(cost < 0), np.mean(cost > 0),
        _slope(wer, cost), slope_low, slope_high, pearson(wer, cost),
    ]  # fmt: skip
    return pd.DataFrame([row], columns=COST_COLUMNS)


def errors_sentence(rates: pd.DataFrame, by: str | None = None) -> str:
    """The sentence for the paper from the table of `word_error_rates`.

    >>> rates = pd.DataFrame({
    ...     "group": ["a", "b"], "n_sessions": [20, 20], "n_words": [9000, 8000], "wer": [0.08, 0.17],
    ...     "low": [0.07, 0.14], "high": [0.1, 0.2],
    ... })
    >>> errors_sentence(rates, "group")
    'The word error rate was .08 (95% CI [.07, .10]) for a (20 vivas), .17 (95% CI [.14, .20]) for b (20 vivas).'
    """
    if not len(rates) or not rates["n_words"].sum():
        return "No answer was corrected by a listener, so that the word error rate is unknown."
    parts = []
    for row in rates.to_dict("records"):
        named = f" for {row[by]}" if by else ""
        parts.append(
            f"{with_interval(row['wer'], row['low'], row['high'])}{named} ({counted(row['n_sessions'], 'viva')})"
        )
    return f"The word error rate was {', '.join(parts)}."


def cost_sentence(cost: pd.DataFrame) -> str:
    """The sentence for the paper from the table of `mark_cost`.

    >>> pairs = pd.DataFrame({
    ...     "session_id": list("aabb"), "points_heard": [8.0, 4.0, 6.0, 9.0], "points_said": [8.0, 6.0, 7.0, 9.0],
    ...     "wer": [0.0, 0.3, 0.1, 0.0],
    ... })
    >>> print(cost_sentence(mark_cost(pairs)))  # doctest: +NORMALIZE_WHITESPACE
    Heard instead of read, 4 answers of 2 vivas lost .75 (95% CI [.50, 1.00]) points on average; 50% of the marks fell
    and 0% rose.
    """
    row = cost.iloc[0]
    if not row["n"]:
        return "No answer has a mark as heard and as said."
    lost = with_interval(-row["mean_cost"], -row["high"], -row["low"])
    answers = f"{counted(int(row['n']), 'answer')} of {counted(int(row['n_sessions']), 'viva')}"
    return (
        f"Heard instead of read, {answers} lost {lost} points on average; {row['share_lowered']:.0%} of the marks fell"
        f" and {row['share_raised']:.0%} rose."
    )


def _slope(wer: np.ndarray, cost: np.ndarray) -> float:
    """Points for a word error rate that is higher by .10."""
    return float(np.polyfit(wer, cost, 1)[0]) / 10 if np.ptp(wer) > 0 else math.nan


def _compared(turns: pd.DataFrame) -> list[tuple[str, str]]:
    require(turns, ["session_id", "turn_index", "text", "text_corrected"], "turns")
    known = present(turns, ["text_corrected"])
    said = [normalised(text) for text in known["text_corrected"]]
    heard = [normalised(text) for text in known["text"].astype("string").fillna("")]
    return [(one, other) for one, other in zip(said, heard, strict=True) if one]


def _aligned(said: str, heard: str) -> tuple[list[str], list[str]]:
    """Words said, and what was heard in place of each; what was inserted goes with the word before it."""
    import jiwer

    found = jiwer.process_words(said, heard)
    words, other = said.split(), heard.split()
    hearings = [""] * len(words)
    for chunk in found.alignments[0]:
        heard_there = other[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "insert":
            at = max(0, chunk.ref_start_idx - 1)
            hearings[at] = " ".join([hearings[at], *heard_there]).strip()
            continue
        for offset, place in enumerate(range(chunk.ref_start_idx, chunk.ref_end_idx)):
            hearings[place] = " ".join([hearings[place], *heard_there[offset : offset + 1]]).strip()
    return words, hearings
