"""`viva-finetune attack --search`: attacks grown by search, and those that were found put to judges again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from finetune.attack_kinds import Frames
from workbench.engines.base import EngineError

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
    judges = made_judges(names, settings, _judge)
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

    known = {q.id: (s, q) for bank in load_banks(settings.banks_dir).values() for _, s, q in bank.questions()}
    how = f"`viva-finetune attack --search 200 --found {found}` writes one"
    try:
        rows = load(found)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except OSError as error:
        raise typer.BadParameter(f"{found} cannot be read ({error.strerror}); {how}") from None
    if not rows:
        raise typer.BadParameter(f"{found} holds no attack; {how}")
    for number, row in enumerate(rows, 1):
        if row.question_id not in known:
            raise typer.BadParameter(
                f"{found}:{number} attacks question {row.question_id!r}, which no bank has; set VIVA_BANKS_DIR to the "
                "banks it was found on, or leave the line out"
            )
    chosen = chosen_by_hash(rows, limit, lambda row: f"{row.kind} {row.question_id} {row.answer}")
    tried = [(row.kind, *known[row.question_id], row.answer) for row in chosen]
    return [
        resist(judge, track(tried, description=name, transient=True))
        for name, judge in zip(names, made_judges(names, settings), strict=True)
    ]


def made_judges(
    names: Sequence[str], settings: Settings, make: Callable[[str, Settings], Judge] | None = None
) -> list[Judge]:
    """All judges, made before any is asked, so that a name that names none costs no other judge's marks.

    Args:
        names: Of the judges.
        settings: Where their weights are.
        make: Makes one; None takes `workbench.judging.registry.make_judge`.

    Raises:
        BadParameter: One cannot be made.
    """
    from workbench.judging.registry import make_judge

    try:
        return [(make or make_judge)(name, settings) for name in names]
    except (ValueError, EngineError) as error:
        raise typer.BadParameter(str(error)) from None


def _judge(name: str, settings: Settings) -> Judge:
    from workbench.judging.registry import make_judge

    if name != "hybrid":
        return make_judge(name, settings)
    from finetune.attack_search import OpenHybrid
    from workbench.engines import sentence_encoder

    return OpenHybrid(sentence_encoder.create(settings))
