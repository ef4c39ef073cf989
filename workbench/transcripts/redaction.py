"""Takes names out of what was said, and gives pseudonyms anew for tables that are handed on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from workbench.exam.replies import parse_name
from workbench.store.pseudonyms import keyed
from workbench.store.research_export import name_remover
from workbench.transcripts.frames import Transcripts

TEXTS: dict[str, tuple[str, ...]] = {
    "turns": ("text", "text_corrected", "text_planned"),
    "words": ("word",),
    "items": ("answer",),
    "marks": ("evidence",),
}
"""Columns that hold what was said."""

INTRODUCTION = "ask_name"
"""Kind of the examiner's turn that asks for the name; what the candidate says next may be one."""


def redact(
    transcripts: Transcripts,
    names: Iterable[str] | Mapping[str, Iterable[str]] = (),
    *,
    replacement: str = "[name]",
    introductions: bool = True,
) -> Transcripts:
    """The same tables with names replaced wherever they were said.

    `load` has already replaced the name kept with a viva. This finds those that are kept nowhere: given ones (a
    patient, a supervisor), and what a candidate said when asked for a name but was not understood to have. A name
    said differently from how it is given is not found: read a sample before you publish.

    Args:
        transcripts: The tables.
        names: Names to take out of every viva, or lists of them by session id.
        replacement: What stands in their place.
        introductions: Whether names that candidates gave when asked are looked for and taken out of their viva.
    """
    of_session: dict[str, list[str]] = {}
    everywhere: list[str] = []
    if isinstance(names, Mapping):
        of_session = {session_id: list(given) for session_id, given in names.items()}
    else:
        everywhere = list(names)
    if introductions:
        for session_id, name in introduced(transcripts.turns).items():
            of_session.setdefault(session_id, []).append(name)
    before = transcripts.turns[transcripts.turns["item_index"].isna()]
    opening = set(zip(before["session_id"], before["turn_index"], strict=True))

    def change(table: str, frame: pd.DataFrame) -> pd.DataFrame:
        if table not in TEXTS:
            return frame
        concerned = frame.index if everywhere else frame.index[frame["session_id"].isin(set(of_session))]
        # outside the questions a name in lower case goes too: recognised words often have no capitals
        turn = frame["turn_index"] if "turn_index" in frame else pd.Series(-1, frame.index)
        for column in TEXTS[table]:
            values = frame[column].astype(object)
            for row in concerned:
                if isinstance(values[row], str):
                    session_id = frame.at[row, "session_id"]
                    anywhere = (session_id, turn[row]) in opening
                    for name in (*everywhere, *of_session.get(session_id, ())):
                        values[row] = name_remover(name, replacement, anywhere=anywhere)(values[row])
            frame[column] = values.astype(frame[column].dtype)
        return frame

    return transcripts.changed(change)


def introduced(turns: pd.DataFrame) -> dict[str, str]:
    """The name each candidate gave in the turn after being asked for one, by session."""
    same = turns["session_id"] == turns["session_id"].shift(1)
    asked = (turns["kind"].shift(1).astype(object) == INTRODUCTION) & same.fillna(False).astype(bool)
    answers = turns[asked & (turns["speaker"] == "candidate")]
    found = {row.session_id: parse_name(row.text) for row in answers.itertuples()}
    # a pseudonym that already stands there is no name
    return {session_id: name for session_id, name in found.items() if name and not name.lower().startswith("c-")}


def with_new_pseudonyms(transcripts: Transcripts, key: bytes | str) -> Transcripts:
    """The same tables under new ids for vivas, candidates and human raters, by a keyed hash (HMAC-SHA-256).

    The same key gives the same ids, so that two deliveries can be joined; without the key no new id leads to an old
    one. It is no anonymity towards whoever has the store: times, texts and scores stay as they were, and by them each
    viva can be matched to its row there. Keep the key, to find the rows of somebody who withdraws.

    Args:
        transcripts: The tables.
        key: A secret of your own; 16 random bytes or more.

    Raises:
        ValueError: The key is empty.
    """
    secret = key.encode() if isinstance(key, str) else key
    keyed(secret, "session", "")  # an empty key is refused now, not at the first table
    known: dict[tuple[str, str], str] = {}

    def new(kind: str, prefix: str, value: str) -> str:
        if (kind, value) not in known:
            known[kind, value] = prefix + keyed(secret, kind, value, n_letters=12).lower()
        return known[kind, value]

    def change(table: str, frame: pd.DataFrame) -> pd.DataFrame:
        sessions = transcripts.sessions
        stand_in = dict(zip(sessions["session_id"], sessions["candidate_id"], strict=True))
        for column in TEXTS.get(table, ()):
            # the store's pseudonym stands where the name was said
            frame[column] = pd.array(
                [
                    text.replace(stand_in[session_id], new("candidate", "c-", stand_in[session_id]))
                    if isinstance(text, str) and stand_in.get(session_id, "\0") in text
                    else text
                    for session_id, text in zip(frame["session_id"], frame[column], strict=True)
                ],
                dtype=frame[column].dtype,
            )
        frame["session_id"] = [new("session", "s-", value) for value in frame["session_id"]]
        if table == "sessions":
            frame["candidate_id"] = [new("candidate", "c-", value) for value in frame["candidate_id"]]
            frame["seed"] = 0  # who knows a seed knows the order of the questions, and so the viva
            frame["cohort_id"] = pd.NA
        if table == "marks":
            human = frame["rater_kind"] == "human"
            frame.loc[human, "rater"] = [new("rater", "human:", value) for value in frame.loc[human, "rater"]]
        return frame

    changed = transcripts.changed(change, about=f"{transcripts.about}, under new pseudonyms")
    # recordings go by the old ids, and a voice is no pseudonym
    return Transcripts(changed.table, about=changed.about)
