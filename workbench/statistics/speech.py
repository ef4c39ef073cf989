"""Who holds the floor and how: gaps and overlaps, response times, pace, pauses, interruptions, the examiner's share.

Times come from the recogniser's words and the player's clock, good to some 50 ms; typed turns have no timing and are
left out of everything timed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.statistics.tables import bootstrap, counted, present, require

PAUSE_S = 0.25
"""Silences within speech from here on are pauses (Goldman-Eisler 1968, Psycholinguistics): shorter ones are
articulation."""

STOPPED_BEFORE_S = 0.5
"""How long before the interrupter's first word the interrupted speech may have ended."""

TRANSFER_COLUMNS = ["session_id", "from_turn", "to_turn", "from_speaker", "to_speaker", "offset_s"]
SUMMARY_COLUMNS = ["n", "n_sessions", "mean", "median", "median_low", "median_high", "p05", "p95", "share_negative"]
INTERRUPTION_COLUMNS = ["session_id", "turn_index", "speaker", "by_turn", "by_speaker", "overlap_s", "outcome"]
OUTCOMES = ("yielded", "kept", "ended together")


def floor_transfers(turns: pd.DataFrame) -> pd.DataFrame:
    """Every change of speaker with its floor-transfer offset: start of the next speech - end of the one before.

    Positive offsets are gaps, negative ones overlaps (de Ruiter, Mitterer and Enfield 2006, Language 82:515; Heldner
    and Edlund 2010, J Phonetics 38:555). A turn that begins and ends while the other speaks (an "mm-hm") takes no
    floor and is no transfer; see `interruptions`. Use it to compare the pace of turn-taking with that of human
    conversation, whose offsets centre near 0.2 s (Stivers et al. 2009, PNAS 106:10587).

    Missing values: turns without start or end are left out; a typed turn breaks the chain, so that no offset is
    reckoned across it.

    Args:
        turns: `session_id, turn_index, speaker, start_s, end_s`, and `typed` if any were typed.

    Returns:
        One row a transfer: `session_id, from_turn, to_turn, from_speaker, to_speaker, offset_s`.

    >>> turns = pd.DataFrame({
    ...     "session_id": "s", "turn_index": [0, 1, 2], "speaker": ["examiner", "candidate", "examiner"],
    ...     "start_s": [0.0, 2.2, 4.0], "end_s": [2.0, 4.1, 6.0],
    ... })
    >>> floor_transfers(turns)["offset_s"].round(2).tolist()
    [0.2, -0.1]
    """
    require(turns, ["session_id", "turn_index", "speaker", "start_s", "end_s"], "turns")
    ordered = present(turns, ["start_s", "end_s"]).sort_values(["session_id", "start_s", "turn_index"], kind="stable")
    typed = ordered["typed"].to_numpy(bool) if "typed" in ordered else np.zeros(len(ordered), bool)
    rows: list[tuple[object, ...]] = []
    holder: tuple[object, object, object, float] | None = None
    columns = (ordered[name].tolist() for name in ("session_id", "turn_index", "speaker", "start_s", "end_s"))
    for session, turn, speaker, start, end, is_typed in zip(*columns, typed.tolist(), strict=True):
        if is_typed:
            holder = None
        elif holder is None or holder[0] != session:
            holder = (session, turn, speaker, end)
        elif speaker == holder[2]:
            holder = (session, turn, speaker, max(end, holder[3]))
        elif end > holder[3]:
            rows.append((session, holder[1], turn, holder[2], speaker, start - holder[3]))
            holder = (session, turn, speaker, end)
    return pd.DataFrame(rows, columns=TRANSFER_COLUMNS).astype({"offset_s": float})


def latency(turns: pd.DataFrame) -> pd.DataFrame:
    """Latency as the candidate experiences it: the silence from the end of their speech to the examiner's first sound.

    The transfers from candidate to examiner of `floor_transfers`, as `latency_s`; negative where the examiner began
    before the candidate had finished. It is reckoned on the recording, so that it holds the endpointing, every model
    and the way to the loudspeaker, where a server's own figures hold only the server. Missing values: as there.

    >>> turns = pd.DataFrame({
    ...     "session_id": "s", "turn_index": [0, 1], "speaker": ["candidate", "examiner"],
    ...     "start_s": [0.0, 4.6], "end_s": [4.0, 6.0],
    ... })
    >>> latency(turns)["latency_s"].round(2).tolist()
    [0.6]
    """
    found = floor_transfers(turns)
    found = found[(found["from_speaker"] == "candidate") & (found["to_speaker"] == "examiner")]
    return (
        found.rename(columns={"offset_s": "latency_s"})
        .drop(columns=["from_speaker", "to_speaker"])
        .reset_index(drop=True)
    )


def response_times(items: pd.DataFrame) -> pd.DataFrame:
    """How long each answer was thought about and how long it took.

    `response_s` = first sound of the answer - end of the question (negative: answered before it was over); `answer_s`
    from the first to the last sound of the answer, probes included. Use it beside the marks: slow and right is not
    slow and lost. Missing values: a question that was not answered, or not asked aloud, keeps its row with missing
    times.

    Args:
        items: `session_id, item_index, question_id, asked_until_s, answer_start_s, answer_end_s`; `typed` if there are
            any.

    >>> items = pd.DataFrame({
    ...     "session_id": ["s"], "item_index": [1], "question_id": ["q1"],
    ...     "asked_until_s": [10.0], "answer_start_s": [11.5], "answer_end_s": [20.0],
    ... })
    >>> response_times(items)[["response_s", "answer_s"]].values.tolist()
    [[1.5, 8.5]]
    """
    names = ["session_id", "item_index", "question_id", "asked_until_s", "answer_start_s", "answer_end_s"]
    require(items, names, "items")
    times = items[names[3:]].astype(float)
    if "typed" in items:
        times = times.mask(items["typed"].astype(bool))
    return items[names[:3]].assign(
        response_s=times["answer_start_s"] - times["asked_until_s"],
        answer_s=times["answer_end_s"] - times["answer_start_s"],
    )


def pauses(words: pd.DataFrame, *, at_least_s: float = PAUSE_S) -> pd.DataFrame:
    """Silences between neighbouring words of one turn, of `at_least_s` seconds or more.

    Filled pauses are words (see `workbench.statistics.disfluency`). Missing values: words without times are left out,
    which joins their neighbours.

    Args:
        words: `session_id, turn_index, word_index, speaker, word, start_s, end_s`.
        at_least_s: Shortest silence that counts.

    Returns:
        `session_id, turn_index, speaker, after_word, start_s, pause_s`.

    >>> words = pd.DataFrame({
    ...     "session_id": "s", "turn_index": 1, "word_index": [0, 1, 2], "speaker": "candidate",
    ...     "word": ["aspirin", "and", "nitrates"], "start_s": [0.0, 0.6, 1.7], "end_s": [0.5, 0.9, 2.3],
    ... })
    >>> pauses(words)[["after_word", "pause_s"]].round(2).values.tolist()
    [['and', 0.8]]
    """
    if at_least_s <= 0:
        raise ValueError(f"at_least_s must be positive, got {at_least_s}; 0.25 is usual")
    ordered = _timed(words)
    follows = _follows(ordered)
    silence = ordered["start_s"].shift(-1) - ordered["end_s"]
    kept = follows.shift(-1, fill_value=False) & (silence >= at_least_s - 1e-9)
    found = ordered.loc[kept, ["session_id", "turn_index", "speaker", "word", "end_s"]]
    found = found.rename(columns={"word": "after_word", "end_s": "start_s"})
    return found.assign(pause_s=silence[kept]).reset_index(drop=True)


def speaking_rates(words: pd.DataFrame, *, pause_s: float = PAUSE_S) -> pd.DataFrame:
    """Pace of each turn.

    `words_per_minute` = 60 n / (time from its first to its last sound); `articulation_rate`, in words a minute too,
    leaves out the pauses of `pause_s` and longer (Goldman-Eisler 1968). Words differ in length between subjects:
    compare candidates on the same questions. Missing values: as in `pauses`; a turn of one word, or of no length, has
    a rate only if it has a length.

    Returns:
        `session_id, turn_index, speaker, n_words, speech_s, pause_s, words_per_minute, articulation_rate`.

    >>> words = pd.DataFrame({
    ...     "session_id": "s", "turn_index": 1, "word_index": [0, 1, 2], "speaker": "candidate",
    ...     "word": ["aspirin", "and", "nitrates"], "start_s": [0.0, 0.6, 1.7], "end_s": [0.5, 0.9, 2.3],
    ... })
    >>> speaking_rates(words)[["n_words", "words_per_minute", "articulation_rate"]].round(1).values.tolist()
    [[3.0, 78.3, 120.0]]
    """
    ordered = _timed(words)
    silence = (ordered["start_s"] - ordered["end_s"].shift()).where(_follows(ordered))
    ordered = ordered.assign(pause_s=silence.where(silence >= pause_s - 1e-9, 0.0))
    found = ordered.groupby(["session_id", "turn_index"], observed=True, sort=True).agg(
        speaker=("speaker", "first"), n_words=("word", "size"), first_s=("start_s", "min"), last_s=("end_s", "max"),
        pause_s=("pause_s", "sum"),
    )  # fmt: skip
    speech = found.pop("last_s") - found.pop("first_s")
    found.insert(2, "speech_s", speech)
    found["words_per_minute"] = 60 * found["n_words"] / speech.where(speech > 0)
    spoken = speech - found["pause_s"]
    found["articulation_rate"] = 60 * found["n_words"] / spoken.where(spoken > 0)
    return found.reset_index()


def interruptions(turns: pd.DataFrame, *, at_least_s: float = 0.0) -> pd.DataFrame:
    """Every time one side began while the other spoke, and what came of it.

    Outcomes: `yielded`, the speaker's turn is marked `interrupted` and the other spoke on (a player that stops at the
    onset may stop `STOPPED_BEFORE_S` before the first recognised word); `kept`, the other's turn was over
    first (encouragement, a cough, an attempt given up); `ended together`, the speaker finished a turn that was at its
    end while the other came in early (terminal overlap; Jefferson 1984). Use it to see whether candidates win the
    floor when they want it. Missing values: as in `floor_transfers`.

    Args:
        turns: `session_id, turn_index, speaker, start_s, end_s, interrupted`, and `typed` if any were typed.
        at_least_s: Overlaps shorter than this are left out, unless the turn is marked interrupted.

    Returns:
        `session_id, turn_index, speaker` (who was overlapped), `by_turn, by_speaker, overlap_s, outcome`.

    >>> turns = pd.DataFrame({
    ...     "session_id": "s", "turn_index": [0, 1, 2], "speaker": ["examiner", "candidate", "candidate"],
    ...     "start_s": [0.0, 1.0, 3.5], "end_s": [4.0, 1.4, 6.0], "interrupted": [True, False, False],
    ... })
    >>> interruptions(turns)[["by_turn", "outcome"]].values.tolist()
    [[1, 'kept'], [2, 'yielded']]
    """
    names = ["session_id", "turn_index", "speaker", "start_s", "end_s", "interrupted"]
    require(turns, names, "turns")
    spoken = turns[~turns["typed"].astype(bool)] if "typed" in turns else turns
    ordered = present(spoken, ["start_s", "end_s"]).sort_values(["session_id", "start_s", "turn_index"], kind="stable")
    rows: list[tuple[object, ...]] = []
    last: dict[object, tuple[object, float, bool]] = {}
    session_before: object = None
    for session, turn, speaker, start, end, cut in zip(*(ordered[name].tolist() for name in names), strict=True):
        if session != session_before:
            last, session_before = {}, session
        for other, (other_turn, other_end, other_cut) in last.items():
            if other == speaker:
                continue
            overlap = min(end, other_end) - start
            stopped_for_this = bool(other_cut) and end > other_end and start <= other_end + STOPPED_BEFORE_S
            if stopped_for_this and start > other_end:
                overlap = 0.0
            if not stopped_for_this and overlap <= max(0.0, at_least_s - 1e-9):
                continue
            outcome = "yielded" if stopped_for_this else "kept" if end <= other_end else "ended together"
            rows.append((session, other_turn, other, turn, speaker, max(0.0, overlap), outcome))
        before = last.get(speaker)
        if before is None or end >= before[1]:
            last[speaker] = (turn, end, bool(cut))
    return pd.DataFrame(rows, columns=INTERRUPTION_COLUMNS).astype({"overlap_s": float})


def talk_shares(turns: pd.DataFrame) -> pd.DataFrame:
    """How much of a viva each side spoke: seconds of speech, words, and the examiner's share of the seconds.

    share = examiner's seconds / (examiner's + candidate's). An oral examination in which the examiner talks most
    measures the examiner; the figure shows drift between examiners, banks and settings. Missing values: turns without
    times count words only; typed turns count their words, not seconds; a viva in which nobody spoke has no share.

    Args:
        turns: `session_id, speaker, start_s, end_s, text`, and `typed` if any were typed.

    Returns:
        `session_id, examiner_s, candidate_s, examiner_words, candidate_words, examiner_share`.

    >>> turns = pd.DataFrame({
    ...     "session_id": "s", "speaker": ["examiner", "candidate"], "start_s": [0.0, 3.0], "end_s": [3.0, 12.0],
    ...     "text": ["name a cause", "a ruptured plaque with a clot on it"],
    ... })
    >>> talk_shares(turns)[["examiner_words", "examiner_share"]].values.tolist()
    [[3.0, 0.25]]
    """
    require(turns, ["session_id", "speaker", "start_s", "end_s", "text"], "turns")
    seconds = (turns["end_s"] - turns["start_s"]).astype(float).fillna(0.0).clip(lower=0)
    if "typed" in turns:
        seconds = seconds.mask(turns["typed"].astype(bool), 0.0)
    spoken = pd.DataFrame(
        {
            "session_id": turns["session_id"],
            "speaker": turns["speaker"].astype(object),
            "seconds": seconds,
            "words": turns["text"].astype("string").fillna("").str.split().str.len().astype("int64"),
        }
    )
    sums = spoken.groupby(["session_id", "speaker"], sort=True)[["seconds", "words"]].sum().unstack(fill_value=0)
    found = pd.DataFrame(index=sums.index)
    for short, name in (("s", "seconds"), ("words", "words")):
        for speaker in ("examiner", "candidate"):
            found[f"{speaker}_{short}"] = sums[(name, speaker)] if (name, speaker) in sums.columns else 0
    both = found["examiner_s"] + found["candidate_s"]
    found["examiner_share"] = found["examiner_s"] / both.where(both > 0)
    return found.reset_index()


def event_details(events: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Events of one kind with what their detail holds as columns, such as the stages of every `latency`.

    Formula: none; the keys of the JSON objects become columns, in the order they are met.
    Use when: a server's vivas are studied, for `latency` (when each stage of a spoken turn was done, ms after the voice
    ended) or `barge_in` (decision, settled_ms). The sample's vivas have no events.
    Assumes: details are JSON objects.
    Missing values: a key that an event lacks is missing in its row.

    Args:
        events: The table `events`.
        kind: One of the kinds that `viva transcripts --dictionary` names.

    Returns:
        One row an event: `session_id, event_index, at_s` and a column for each key; three columns where there is none.

    >>> rows = pd.DataFrame({"session_id": "s", "event_index": [0, 1], "at_s": [1.0, 4.0], "kind": ["barge_in", "left"],
    ...                      "detail": ['{"decision": "resume", "settled_ms": 640}', "{}"]})
    >>> event_details(rows, "barge_in").to_dict("records")
    [{'session_id': 's', 'event_index': 0, 'at_s': 1.0, 'decision': 'resume', 'settled_ms': 640}]
    """
    chosen = events.loc[events["kind"] == kind, ["session_id", "event_index", "at_s", "detail"]].reset_index(drop=True)
    details = pd.DataFrame([json.loads(detail) for detail in chosen["detail"]], index=chosen.index)
    return pd.concat([chosen.drop(columns="detail"), details], axis=1)


def summary(
    table: pd.DataFrame, value: str, by: str | Sequence[str] | None = None, *, n_draws: int = 500, seed: int = 0
) -> pd.DataFrame:
    """Times at a glance: mean, median with its interval, the middle 90 %, and the share below 0 (overlaps).

    The interval is a percentile bootstrap over sessions, since the turns of one viva are alike; none for fewer than
    two. Times are skewed: quote the median. Missing values are left out and not counted.

    Args:
        table: Any table with `session_id` and the value.
        value: Column of the times.
        by: Columns to group by.
        n_draws: Bootstrap samples.
        seed: Of the bootstrap.

    >>> table = pd.DataFrame({"session_id": ["a", "a", "b"], "offset_s": [0.1, 0.3, 0.2]})
    >>> summary(table, "offset_s")[["n", "n_sessions", "median"]].values.tolist()
    [[3.0, 2.0, 0.2]]
    """
    keys = [by] if isinstance(by, str) else list(by or [])
    require(table, ["session_id", value, *keys], f"{value} by session")
    known = present(table, [value])
    groups = known.groupby(keys, observed=True, dropna=False) if keys else [((), known)]
    rows = []
    for key, group in groups:
        named = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        rows.append({**named, **_described(group[value].to_numpy(float), group["session_id"], n_draws, seed)})
    return pd.DataFrame(rows, columns=[*keys, *SUMMARY_COLUMNS])


def summary_sentence(row: pd.Series, what: str) -> str:
    """The sentence for the paper from one row of `summary`.

    >>> table = pd.DataFrame({"session_id": ["a", "a", "b", "b"], "latency_s": [0.6, 0.6, 0.6, 1.4]})
    >>> summary_sentence(summary(table, "latency_s").iloc[0], "silence")
    'The median silence was 0.60 s (95% CI [0.60, 1.00]; 4 in 2 vivas; middle 90%: 0.60 to 1.28 s).'
    """
    if not row["n"]:
        return f"There is no {what} in these vivas."
    low, high = row["median_low"], row["median_high"]
    interval = "no interval" if np.isnan(low) else f"95% CI [{low:.2f}, {high:.2f}]"
    number = f"{int(row['n']):,} in {counted(int(row['n_sessions']), 'viva')}"
    middle = f"middle 90%: {row['p05']:.2f} to {row['p95']:.2f} s"
    return f"The median {what} was {row['median']:.2f} s ({interval}; {number}; {middle})."


def _described(values: np.ndarray, sessions: pd.Series, n_draws: int, seed: int) -> dict[str, float]:
    if not len(values):
        return {"n": 0, "n_sessions": 0} | dict.fromkeys(SUMMARY_COLUMNS[2:], np.nan)
    low, high = bootstrap(lambda rows: float(np.median(values[rows])), sessions, n_draws=n_draws, seed=seed)
    return {
        "n": len(values),
        "n_sessions": int(sessions.nunique()),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "median_low": low,
        "median_high": high,
        "p05": float(np.quantile(values, 0.05)),
        "p95": float(np.quantile(values, 0.95)),
        "share_negative": float(np.mean(values < 0)),
    }


def _timed(words: pd.DataFrame) -> pd.DataFrame:
    require(words, ["session_id", "turn_index", "word_index", "speaker", "word", "start_s", "end_s"], "words")
    return present(words, ["start_s", "end_s"]).sort_values(
        ["session_id", "turn_index", "word_index"], ignore_index=True
    )


def _follows(ordered: pd.DataFrame) -> pd.Series:
    """Whether a word is of the same turn as the one before it."""
    same = ordered["session_id"].eq(ordered["session_id"].shift()) & ordered["turn_index"].eq(
        ordered["turn_index"].shift()
    )
    return same.fillna(False).astype(bool)
