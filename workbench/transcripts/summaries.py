"""One line a viva: what the terminal shows, and what a first look at a data set needs."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from workbench.transcripts.frames import Transcripts


def summary(transcripts: Transcripts) -> pd.DataFrame:
    """One row a viva, counted over its other tables.

    Returns:
        The columns of `sessions` and: `n_turns`, `n_words` (recognised words of the candidate), `n_interrupted`
        (examiner's turns cut short), `candidate_s` and `examiner_s` (seconds spoken), `examiner_share` (of the seconds
        spoken; missing where nothing was), `n_marks`, `n_corrected` (questions for which a human's mark counts).
    """
    sessions = transcripts.sessions.set_index("session_id")
    turns = transcripts.turns
    lengths = turns.assign(length_s=turns["end_s"] - turns["start_s"], examiner=turns["speaker"] == "examiner")
    by_session = lengths.groupby("session_id", sort=False)
    counted = pd.DataFrame(
        {
            "n_turns": by_session.size(),
            "n_interrupted": by_session["interrupted"].sum(),
            "examiner_s": lengths[lengths["examiner"]].groupby("session_id", sort=False)["length_s"].sum(),
            "candidate_s": lengths[~lengths["examiner"]].groupby("session_id", sort=False)["length_s"].sum(),
            "n_words": transcripts.words.query("speaker == 'candidate'").groupby("session_id", sort=False).size(),
            "n_marks": transcripts.marks.groupby("session_id", sort=False).size(),
            "n_corrected": transcripts.marks.query("rater_kind == 'human' and counts")
            .groupby("session_id", sort=False)["item_index"]
            .nunique(),
        }
    ).reindex(sessions.index)
    whole = ["n_turns", "n_interrupted", "n_words", "n_marks", "n_corrected"]
    counted[whole] = counted[whole].fillna(0).astype("int64")
    counted[["examiner_s", "candidate_s"]] = counted[["examiner_s", "candidate_s"]].fillna(0.0).astype("float64")
    spoken_s = counted["examiner_s"] + counted["candidate_s"]
    counted["examiner_share"] = (counted["examiner_s"] / spoken_s).where(spoken_s > 0)
    return sessions.join(counted).reset_index()


def lines(summaries: pd.DataFrame) -> Iterator[str]:
    """The rows of `summary` for the terminal, ids first, nothing of what was said."""
    for row in summaries.itertuples():
        score = "no score" if pd.isna(row.score) else f"{row.score:g}/{row.max_score:g}"
        share = "" if pd.isna(row.examiner_share) else f", examiner {row.examiner_share:.0%}"
        length = "?" if pd.isna(row.duration_s) else f"{int(row.duration_s) // 60}:{int(row.duration_s) % 60:02d}"
        area = row.discipline if pd.isna(row.area) else f"{row.discipline}/{row.area}"
        corrected = f", {row.n_corrected} corrected" if row.n_corrected else ""
        what = f"{row.n_items} questions  {score}{corrected}  {row.n_turns} turns, {row.n_words} words{share}"
        who = f"{row.session_id}  {row.started_at:%Y-%m-%d}  {row.candidate_id}"
        yield f"{who}  {area}  {row.mode}  {row.status}  {length}  {what}"
