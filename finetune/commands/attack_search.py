"""`viva-finetune attack --search`: attacks grown by search, and those that were found put to judges again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from finetune.attack_kinds import Frames

if TYPE_CHECKING:
    from workbench.judging.base import Judge
    from workbench.settings import Settings


def grow(
    names: Sequence[str],
    settings: Settings,
    *,
    tries: int,
    seed: int,
    frames: Frames,
    n_questions: int | None,
    keep: int,
    found: Path,
) -> dict[str, Any]:
    """Searches, writes what was found, and says how far it gets with each judge.

    Args:
        names: Judges that are attacked.
        settings: Where banks and weights are.
        tries: Drafts put to the judges for each question.
        seed: Of the search.
        frames: Which half of the frames is built with.
        n_questions: How many questions, None for all.
        keep: How many attacks are kept at most.
        found: File they go to, JSON lines.
    """
    from rich.progress import track

    from finetune.attack_search import save, search
    from workbench.exam.bank import load_banks

    banks = load_banks(settings.banks_dir).values()
    judges = [_judge(name, settings) for name in names]
    kept = search(
        banks,
        judges,
        tries=tries,
        seed=seed,
        frames=frames,
        n_questions=n_questions,
        keep=keep,
        progress=lambda asked: track(asked, description=f"seed {seed}", transient=True),
    )
    save(kept, found)
    typer.echo(f"wrote {len(kept)} attacks to {found}")
    return {"search": {"tries": tries, "seed": seed, "frames": frames, "questions": n_questions, "kept": len(kept)}}


def replay(names: Sequence[str], settings: Settings, found: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Figures of `finetune.evaluate.resist` for each judge on the attacks of a file, or on `limit` chosen by hash."""
    from rich.progress import track

    from finetune.attack_search import load
    from finetune.choosing import chosen_by_hash
    from finetune.evaluate import resist
    from workbench.exam.bank import load_banks
    from workbench.judging.registry import make_judge

    known = {q.id: (s, q) for bank in load_banks(settings.banks_dir).values() for _, s, q in bank.questions()}
    rows = chosen_by_hash(load(found), limit, lambda row: f"{row.kind} {row.question_id} {row.answer}")
    tried = [(row.kind, *known[row.question_id], row.answer) for row in rows]
    return [resist(make_judge(name, settings), track(tried, description=name, transient=True)) for name in names]


def _judge(name: str, settings: Settings) -> Judge:
    from workbench.judging.registry import make_judge

    if name != "hybrid":
        return make_judge(name, settings)
    from finetune.attack_search import OpenHybrid
    from workbench.engines import sentence_encoder

    return OpenHybrid(sentence_encoder.create(settings))
