"""What the notebooks open: real vivas where a database is named, else the sample with its known truth."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from workbench.exam.items import Bank, Question
    from workbench.transcripts import Transcripts

SAMPLE = Path("data/sample")
CITATION = (
    "Viva Workbench contributors (2026). Viva Workbench {version}: spoken oral examinations and their analysis"
    " [Software]. Analyses: workbench.statistics, notebook {notebook}. Data: {data}."
)


class LabError(RuntimeError):
    """The notebooks have nothing to open; the message says what to do."""


def checkout() -> Path:
    """The repository's folder, from wherever in it a notebook runs.

    Raises:
        LabError: Neither the folder it runs in nor one above is a checkout.
    """
    from importlib.resources import files

    for folder in (Path.cwd(), *Path.cwd().parents, Path(str(files("workbench"))).parent):
        if (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    raise LabError(f"{Path.cwd()} is not in a checkout of the workbench: open the notebooks where they lie")


def transcripts() -> Transcripts:
    """The vivas to analyse: those of `VIVA_DATABASE_URL` if that is set, else the sample.

    Raises:
        LabError: No database is named and the sample is not there.
    """
    from workbench.transcripts import load

    if os.environ.get("VIVA_DATABASE_URL"):
        return load()
    return load(_sample())


def truth() -> dict[str, Any] | None:
    """What was planted in the sample, see its README; None for real vivas."""
    if os.environ.get("VIVA_DATABASE_URL"):
        return None
    return json.loads((_sample() / "truth.json").read_text(encoding="utf-8"))


def result(name: str) -> dict[str, Any]:
    """A measurement kept in `data/results`, for instance `latency`."""
    return json.loads((checkout() / "data" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def latency_stages(turns: list[dict[str, Any]]) -> pd.DataFrame:
    """Turns of `viva bench latency` as a table of when each stage was done, ms after the voice ended.

    `endpoint_ms` the end of the turn was decided, `asr_ms` the last words were there, `llm_first_ms` the first word of
    the reply, `tts_first_ms` its first sound was made, `sent_ms` it was sent, `heard_ms` it was heard by the client.
    Turns that were cut off or began with a stock phrase are left out, as in the bench's own figures. Missing values: a
    stage that did not happen.
    """
    names = ["endpoint_ms", "asr_ms", "llm_first_ms", "tts_first_ms", "sent_ms"]
    whole = [turn for turn in turns if not turn["cut_off"] and turn["latency"].get("made_for_answer")]
    rows = [[turn["latency"].get(name) for name in names] + [turn["voice_to_voice_ms"]] for turn in whole]
    return pd.DataFrame(rows, columns=[*names, "heard_ms"], dtype=float)


def remarked(of: Transcripts, banks: dict[str, Bank] | None = None, *, judge: str = "keyword") -> pd.DataFrame:
    """Every spoken answer marked twice by one judge: as it was heard, and as a listener corrected it.

    Args:
        of: Vivas of which turns were corrected.
        banks: Question banks by discipline; None takes those of the settings.
        judge: Name of the judge.

    Returns:
        One row an answer with a corrected turn: `session_id, item_index, question_id, points_heard, points_said, wer,
        n_words`. Answers to questions that the banks do not hold, and typed ones, are left out.
    """
    from workbench.exam.bank import load_banks
    from workbench.judging.registry import make_judge
    from workbench.settings import get_settings
    from workbench.statistics.recognition import turn_errors

    settings = get_settings()
    banks = load_banks(settings.banks_dir) if banks is None else banks
    questions = _questions(banks)
    marking = make_judge(judge, settings)
    spoken = of.turns[(of.turns["speaker"] == "candidate") & of.turns["item_index"].notna()]
    errors = turn_errors(spoken)
    wrong = errors.assign(wrong=errors["substitutions"] + errors["deletions"] + errors["insertions"])
    named = of.items.set_index(["session_id", "item_index"])["question_id"]
    rows = []
    for key, answer in wrong.groupby(["session_id", "item_index"], observed=True):
        question = questions.get(named.get(key, ""))
        if question is None:
            continue
        heard, said = (" ".join(answer[column].astype("string").fillna("")) for column in ("text", "text_corrected"))
        points = [marking.judge(question, text).points for text in (heard, said)]
        n_words = int(answer["n_words"].sum())
        rows.append([*key, question.id, *points, answer["wrong"].sum() / n_words, n_words])
    columns = ["session_id", "item_index", "question_id", "points_heard", "points_said", "wer", "n_words"]
    return pd.DataFrame(rows, columns=columns)


def cite(notebook: str) -> str:
    """How to cite an analysis of a notebook, with the version and the data it was made on."""
    from importlib.metadata import version

    data = "own vivas" if os.environ.get("VIVA_DATABASE_URL") else "simulated sample (CC BY 4.0), data/sample"
    return CITATION.format(version=version("viva-workbench"), notebook=notebook, data=data)


START = "/lab/tree/README.md"
"""Where JupyterLab opens."""

SETTINGS_DIR = Path(__file__).with_name("lab_settings")
"""Its settings: a README is shown as one reads it, and nobody is asked for news or updates."""


def command() -> list[str]:
    """The command that starts JupyterLab on the notebooks' README.

    Raises:
        LabError: JupyterLab is not installed, or this is no checkout.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed: pip install 'viva-workbench[research]', or make install")
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={checkout() / 'notebooks'}",
        f"--LabApp.app_settings_dir={SETTINGS_DIR}",
        f"--LabApp.default_url={START}",
    ]


def _sample() -> Path:
    folder = checkout() / SAMPLE
    if not folder.is_dir():
        raise LabError(f"there is no sample in {folder}: make sample makes it, or set VIVA_DATABASE_URL to your vivas")
    return folder


def _questions(banks: dict[str, Bank]) -> dict[str, Question]:
    return {q.id: q for bank in banks.values() for area in bank.areas for q in area.questions}
