"""Makes the tidy tables out of what a source holds: the one place where a column's meaning is computed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd

from workbench.exam.asking import NO_ANSWER_JUDGE
from workbench.exam.model import MAX_POINTS
from workbench.store.rows import NO_MARK
from workbench.transcripts.columns import TABLES
from workbench.transcripts.schema import check, coerced, empty

ASIDE = frozenset({"repeat", "rephrase", "moment", "confirm", "resume", "reprompt", "off_script", "refuse"})
"""Kinds of the examiner's turns that answer a request or a slip; the candidate's turn before was no answer."""

_PLAIN_JUDGE = re.compile(r"[a-z]+(?:-[a-z]+)*")


class Source(Protocol):
    """Where raw tables come from: rows as they were stored, in order, without names."""

    about: str

    def raw_sessions(self) -> pd.DataFrame:
        """Vivas, with `options` (JSON), `n_items`, `typed_share` and `end_s` counted over the others."""

    def raw_turns(self) -> pd.DataFrame:
        """Turns, with `heard_text` beside `text`."""

    def raw_times(self) -> pd.DataFrame:
        """Turns without their texts."""

    def raw_words(self) -> pd.DataFrame:
        """Words."""

    def raw_answers(self) -> pd.DataFrame:
        """Answers before and after probes, with what is known of their questions."""

    def raw_marks(self) -> pd.DataFrame:
        """Marks, with the judge's name in `judge` and `judge` or a human's pseudonym in `rater`.

        `mark_id` is a mark's id, `restores_id` that of the earlier mark an undo brought back, 0 where that was none;
        missing where not kept.
        """

    def raw_events(self) -> pd.DataFrame:
        """Events."""


def tidy(source: Source, name: str) -> pd.DataFrame:
    """One tidy table of a source, checked.

    Raises:
        TranscriptError: What the source holds is not what the table promises.
    """
    makers: dict[str, Callable[[Source], pd.DataFrame]] = {
        "sessions": sessions_of,
        "turns": turns_of,
        "words": words_of,
        "items": items_of,
        "marks": marks_of,
        "events": events_of,
    }
    assert set(makers) == set(TABLES)
    return check(coerced(makers[name](source), name), name)


def sessions_of(source: Source) -> pd.DataFrame:
    """The table `sessions`."""
    raw = source.raw_sessions()
    options = [json.loads(text) if isinstance(text, str) else {} for text in raw["options"]]
    passed = (
        pd.to_datetime(raw["ended_at"], utc=True) - pd.to_datetime(raw["started_at"], utc=True)
    ).dt.total_seconds()
    raw["duration_s"] = raw["end_s"].astype("float64").fillna(passed.clip(lower=0.0))
    raw["n_items"] = raw["n_items"].fillna(0)
    raw["completed"] = raw["completed"].astype("boolean").fillna(False).astype(bool)
    raw["typed"] = raw["typed_share"].astype("float64").fillna(0.0) > 0.5
    # free conversation is not marked; the store counts it as nought
    marked = raw["mode"] != "talk"
    raw["score"], raw["max_score"] = raw["score"].where(marked), raw["max_score"].where(marked)
    raw["patience"] = pd.array([option.get("patience") for option in options], dtype="string[pyarrow]")
    raw["extra_time"] = [float(option.get("extra_time") or 1.0) for option in options]
    raw["speaking_rate"] = [float(option.get("speaking_rate") or 1.0) for option in options]
    return raw


def turns_of(source: Source) -> pd.DataFrame:
    """The table `turns`."""
    raw = source.raw_turns()
    cut = raw["interrupted"].astype(bool) & raw["heard_text"].notna()
    raw["text_planned"] = raw["text"].where(cut)
    raw["text"] = raw["text"].where(~cut, raw["heard_text"])
    return raw


def words_of(source: Source) -> pd.DataFrame:
    """The table `words`."""
    return source.raw_words()


def items_of(source: Source) -> pd.DataFrame:
    """The table `items`."""
    key = ["session_id", "item_index"]
    answers = source.raw_answers()
    if answers.empty:
        return empty("items")
    answers["text"] = answers["text"].str.strip()
    given = answers[~answers["skipped"].astype(bool) & (answers["text"] != "")]
    first = answers.drop_duplicates(key)
    items = first[[*key, "question_id", "scenario_id", "difficulty", "cognitive_level"]].set_index(key)
    # of an answer given again the last counts; before and after a probe are joined
    last = given.drop_duplicates([*key, "probe"], keep="last")
    before, after = (
        last[last["probe"].astype(bool) == probe].set_index(key)["text"].reindex(items.index).fillna("")
        for probe in (False, True)
    )
    items["answer"] = (before + " " + after).str.strip()
    typed = given[given["typed"].astype(bool)]
    items["typed"] = items.index.isin(pd.MultiIndex.from_frame(typed[key]))
    items["skipped"] = items["answer"] == ""
    probed = items.index.isin(pd.MultiIndex.from_frame(answers.loc[answers["probe"].astype(bool), key])).astype(int)
    times = item_times(source.raw_times()).reindex(items.index)
    items["n_probes"] = np.maximum(probed, times["n_probes"].fillna(0)).astype("int64")
    for name in ("asked_at_s", "asked_until_s", "answer_start_s", "answer_end_s"):
        items[name] = times[name]
    items["max_points"] = float(MAX_POINTS)
    return items.reset_index()


def item_times(turns: pd.DataFrame) -> pd.DataFrame:
    """When each question was asked and answered, by session and item.

    An answer is what the candidate said on a question, but for what the examiner took for a request: a turn right
    before one of the kinds in `ASIDE`. Where nothing else was said, those turns are the answer.

    Args:
        turns: `session_id, item_index, speaker, kind, start_s, end_s`, in order.

    Returns:
        `asked_at_s, asked_until_s, answer_start_s, answer_end_s, n_probes`; NaN where it never came to that.
    """
    key = ["session_id", "item_index"]
    turns = turns[["session_id", "item_index", "speaker", "kind", "start_s", "end_s"]].reset_index(drop=True)
    examiner = (turns["speaker"] == "examiner").to_numpy(bool)
    same_session = (turns["session_id"] == turns["session_id"].shift(-1)).fillna(False).to_numpy(bool)
    next_kind = turns["kind"].shift(-1).astype(object)
    request = same_session & next_kind.isin(ASIDE).to_numpy(bool)
    within = turns["item_index"].notna().to_numpy(bool)
    candidate = turns[~examiner & within].assign(request=request[~examiner & within])
    answering = candidate[~candidate["request"]]
    found = answering.groupby(key, sort=False).agg(answer_start_s=("start_s", "min"), answer_end_s=("end_s", "max"))
    anything = candidate.groupby(key, sort=False).agg(answer_start_s=("start_s", "min"), answer_end_s=("end_s", "max"))
    asked = turns[examiner & within]
    times = asked.groupby(key, sort=False).agg(asked_at_s=("start_s", "min"))
    times["n_probes"] = asked[asked["kind"] == "probe"].groupby(key, sort=False).size()
    times = times.join(found.combine_first(anything), how="outer")
    before = asked.join(times["answer_start_s"], on=key)
    before = before[~(before["start_s"] >= before["answer_start_s"])]
    times["asked_until_s"] = before.groupby(key, sort=False)["end_s"].max()
    return times


def marks_of(source: Source) -> pd.DataFrame:
    """The table `marks`."""
    raw = _standing(source.raw_marks())
    key = ["session_id", "item_index"]
    # an exam gives its marks out at the end: the same mark made public is no second one
    what = [*key, "question_id", "rater", "judge", "verdict", "points", "evidence"]
    again = (raw[what].fillna("") == raw[what].fillna("").shift(1)).all(axis=1)
    raw = raw[~again].reset_index(drop=True)
    by_judge = (raw["rater"] == "judge").astype(bool)
    raw["rater_version"] = raw["judge"].where(by_judge)
    judge = _judge_of_viva(raw, by_judge)
    shown = {name: judge_name(name) for name in judge.dropna().unique()}
    raw["rater_kind"] = np.where(
        by_judge, np.where(judge.str.contains(":", regex=False).astype(bool), "adapter", "judge"), "human"
    )
    raw["rater"] = raw["rater"].where(~by_judge, judge.map(shown).astype("string[pyarrow]"))
    raw["mark_index"] = raw.groupby(key, sort=False).cumcount()
    raw["counts"] = ~raw.duplicated(key, keep="last")
    return raw


def _standing(raw: pd.DataFrame) -> pd.DataFrame:
    """The marks that no undo has taken back; the undo, which says again what it brought back, is left out too.

    An undo that left a question unmarked takes back every mark before it.
    """
    undo = raw["restores_id"].notna()
    if not undo.any():
        return raw
    places = pd.MultiIndex.from_frame(raw[["session_id", "item_index"]])
    touched = raw[places.isin(places[undo])]
    gone: list[int] = []
    for _, marks in touched.groupby(["session_id", "item_index"], sort=False):
        standing: list[tuple[int, int]] = []
        for row, mark_id, restores_id in zip(marks.index, marks["mark_id"], marks["restores_id"], strict=True):
            back = [place for place, (_, earlier) in enumerate(standing) if earlier == restores_id]
            if pd.notna(restores_id) and restores_id == NO_MARK:
                back = [-1]  # before the first
            if pd.notna(restores_id) and back:
                gone += [row, *(taken for taken, _ in standing[back[0] + 1 :])]
                del standing[back[0] + 1 :]
            else:
                standing.append((row, mark_id))
    return raw.drop(index=gone).reset_index(drop=True)


def _judge_of_viva(raw: pd.DataFrame, by_judge: pd.Series) -> pd.Series:
    """Who marks for the judge: nobody was asked for a question left without a word, so the judge of the viva's rest.

    Where the viva has no other answer, it is the judge of most vivas: nothing said has no points with any.
    """
    silent = by_judge & (raw["judge"] == NO_ANSWER_JUDGE).astype(bool)
    others = raw[by_judge & ~silent]
    if not silent.any() or others.empty:
        return raw["judge"]
    own = others.groupby("session_id")["judge"].agg(lambda given: given.mode().iloc[0])
    stands_in = raw["session_id"].map(own).fillna(own.mode().iloc[0]).astype(raw["judge"].dtype)
    return raw["judge"].where(~silent, stands_in)


def judge_name(version: str) -> str:
    """A judge without its version; what names an adapter stays whole.

    >>> judge_name("hybrid-1"), judge_name("no-answer 1"), judge_name("models:/viva-examiner/3")
    ('hybrid', 'no-answer', 'models:/viva-examiner/3')
    """
    plain = _PLAIN_JUDGE.match(version)
    return version if ":" in version or plain is None else plain.group()


def events_of(source: Source) -> pd.DataFrame:
    """The table `events`."""
    raw = source.raw_events()
    raw["event_index"] = raw.groupby("session_id", sort=False).cumcount()
    return raw
