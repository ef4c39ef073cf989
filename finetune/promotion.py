"""From an adapter to the judge in service: what was measured of it, champion and challenger, and the way back.

The registered model's tag `champions` holds the versions that were champion, oldest first; each version's tags say when
it was promoted, over which one, and by which figures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.adapter_folder import RECIPE
from finetune.config import load_recipe
from finetune.gate import Gate, GateError, Outcome, attack_report, decide
from finetune.predictions import Prediction, read_predictions
from finetune.registry import (
    CHALLENGER,
    CHAMPION,
    MODEL,
    SHA256,
    Registered,
    RegistryError,
    Version,
    mark_of,
    register,
    resolve,
    task_of,
    weights_sha256,
)
from finetune.tracking import client_of

if TYPE_CHECKING:
    from workbench.settings import Settings

EVALUATION = "evaluation"
"""Part of an adapter's folder with what was measured of it."""

PREDICTIONS, ATTACKS = "predictions.jsonl", "attacks.json"
CHAMPIONS = "champions"


class PromotionError(ValueError):
    """An adapter cannot be brought before the gate; the message says what is missing."""


@dataclass(frozen=True)
class Evidence:
    """What was measured of an adapter.

    Attributes:
        predictions: Its marks on held-out answers.
        attacks: `n` and `correct_rate`.
    """

    predictions: list[Prediction]
    attacks: dict[str, Any]


def evidence(folder: Path) -> Evidence:
    """What lies in an adapter's folder of its own measurements, made with the weights that lie there now.

    Raises:
        PromotionError: A file is missing, was made with other weights or for another task than the one in service, or
            does not tell questions seen from unseen ones.
        PredictionsError, GateError, RegistryError: A file cannot be read, or there is no adapter.
    """
    mark = mark_of(weights_sha256(folder))
    predictions, attacks = folder / EVALUATION / PREDICTIONS, folder / EVALUATION / ATTACKS
    how = (
        f"measure it: `viva-finetune evaluate --judges adapter:{folder} --predictions {predictions}` and "
        f"`viva-finetune attack --judges adapter:{folder} --out {attacks}`"
    )
    missing = [path.name for path in (predictions, attacks) if not path.is_file()]
    if missing:
        raise PromotionError(f"{folder / EVALUATION} lacks {' and '.join(missing)}; {how}")
    rows = read_predictions(predictions)
    if strangers := sorted({p.version for p in rows if mark not in p.version}):
        raise PromotionError(
            f"{predictions} holds marks of {', '.join(strangers)}, not of these weights ({mark}); {how}"
        )
    if any("question" not in p.slices for p in rows):
        raise PromotionError(
            f"{predictions} does not tell questions the adapter was trained on from others; measure it with "
            f"--trained-on, the folder that `viva-finetune prepare` wrote: `viva-finetune evaluate --judges "
            f"adapter:{folder} --trained-on ROWS --predictions {predictions}`"
        )
    asked = {task_of(p.version) for p in rows}
    served = _task_in_service(folder) if asked != {None} else None
    if len(asked) > 1 or (served and asked != {served}):
        raise PromotionError(
            f"{predictions} holds marks by {', '.join(sorted(map(str, asked)))}, and in service the adapter marks by "
            f"{served}; {how} (of a corpus with --judges adapter:{folder}#{served})"
        )
    try:
        return Evidence(rows, attack_report(attacks, mark, asked.pop()))
    except GateError as error:
        raise PromotionError(f"{error}; {how}") from error


def champion(settings: Settings, alias: str = CHAMPION) -> Version | None:
    """The version with this alias, None where there is none; its files are not asked for."""
    client = client_of(settings)
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_model_version_by_alias(MODEL, alias)
    except MlflowException:
        return None
    return Version(MODEL, str(found.version), dict(found.tags))


def baseline(settings: Settings, against: Path | None) -> list[Prediction]:
    """Marks of the judge an adapter is to follow: the champion's, else those of a file.

    Args:
        settings: Where the registry is.
        against: Predictions; where there is a champion they must be its.

    Raises:
        PromotionError: There is no champion and no file, the file is another judge's, or the champion's are gone.
    """
    reigning = champion(settings)
    if reigning is None:
        if against is None:
            raise PromotionError(
                "there is no champion to be better than; name the judge in service by its marks on the same answers: "
                "`viva-finetune evaluate --judges hybrid --predictions hybrid.jsonl`, then --against hybrid.jsonl"
            )
        return read_predictions(against)
    name = f"models:/{MODEL}/{reigning.version}"
    if against is None:
        try:
            against = resolve(name, settings).folder / EVALUATION / PREDICTIONS
        except RegistryError as error:
            raise PromotionError(
                f"{error}; or name marks it once gave with --against, or go back with `viva-finetune rollback`"
            ) from error
        if not against.is_file():
            raise PromotionError(f"{reigning.name}, the champion, came without {against}; {_measure_champion()}")
    rows = read_predictions(against)
    mark = mark_of(reigning.tags.get(SHA256) or weights_sha256(resolve(name, settings).folder))
    if strangers := sorted({p.version for p in rows if mark not in p.version}):
        raise PromotionError(
            f"{against} holds marks of {', '.join(strangers)}, and the champion is {reigning.name} ({mark}); "
            f"{_measure_champion()}"
        )
    return rows


def weigh(folder: Path, gate: Gate, settings: Settings, against: Path | None = None) -> Outcome:
    """Brings an adapter before the gate; nothing is changed.

    Args:
        folder: The adapter's, with its `evaluation`.
        gate: The bounds.
        settings: Where the registry is.
        against: See `baseline`.

    Raises:
        PromotionError, PredictionsError, GateError, RegistryError: What is missing, or does not fit.
    """
    reigning = champion(settings)
    if reigning is not None and reigning.tags.get(SHA256) == weights_sha256(folder):
        raise PromotionError(f"{folder} is the champion already, {reigning.name}")
    found = evidence(folder)
    return decide(gate, found.predictions, baseline(settings, against), found.attacks)


def promote(folder: Path, outcome: Outcome, settings: Settings) -> Registered:
    """Makes an adapter the champion.

    Args:
        folder: The adapter's.
        outcome: What the gate said of it.
        settings: Where the registry is.

    Raises:
        PromotionError: The gate refused it; the message holds the lines that failed.
    """
    if not outcome.passed:
        failed = "; ".join(f"{line.name}: {line.said}" for line in outcome.lines if not line.passed)
        raise PromotionError(f"the gate refuses {folder}: {failed}")
    client = client_of(settings)
    reigning = champion(settings)
    made = register(
        folder,
        settings,
        {
            "gate": outcome.as_json(),
            "promoted_at": _now(),
            "promoted_over": reigning.name if reigning else outcome.against,
        },
    )
    client.set_registered_model_alias(MODEL, CHAMPION, made.version)
    risen = champion(settings, CHALLENGER)
    if risen is not None and risen.version == made.version:
        client.delete_registered_model_alias(MODEL, CHALLENGER)
    _set_champions(settings, [*(v for v in champions(settings) if v != made.version), made.version])
    return made


def challenge(folder: Path, settings: Settings) -> Registered:
    """Makes an adapter the challenger, which marks nobody: no gate is asked.

    Args:
        folder: The adapter's.
        settings: Where the registry is.
    """
    made = register(folder, settings, {"challenger_since": _now()})
    client_of(settings).set_registered_model_alias(MODEL, CHALLENGER, made.version)
    return made


def rollback(settings: Settings) -> tuple[Version, Registered]:
    """Makes the champion before this one champion again: (the one that goes, the one that comes back).

    Raises:
        PromotionError: There is none before it.
        RegistryError: The files of the one before are not to be had; nothing is changed then.
    """
    reigned = champions(settings)
    if len(reigned) < 2:
        raise PromotionError(
            f"there is no champion to go back to; {MODEL} has had {'one' if reigned else 'none'}; VIVA_JUDGE takes any "
            "other judge meanwhile"
        )
    going = Version(MODEL, reigned[-1], {})
    coming = resolve(f"models:/{MODEL}/{reigned[-2]}", settings)
    client = client_of(settings)
    client.set_registered_model_alias(MODEL, CHAMPION, coming.version)
    _set_champions(settings, reigned[:-1])
    client.set_model_version_tag(MODEL, going.version, "rolled_back_at", _now())
    return going, coming


def champions(settings: Settings) -> list[str]:
    """Versions that were champion and not rolled back, oldest first; the last one reigns."""
    client = client_of(settings)
    found = [model for model in client.search_registered_models(f"name = '{MODEL}'") if model.name == MODEL]
    if not found:
        return []
    try:
        return [str(version) for version in json.loads(found[0].tags.get(CHAMPIONS, "[]"))]
    except ValueError as error:
        raise RegistryError(
            f"the tag {CHAMPIONS!r} of {MODEL} is no list of versions: {found[0].tags[CHAMPIONS]!r}; mend it in "
            "`make mlflow`"
        ) from error


def history(settings: Settings) -> list[dict[str, str]]:
    """One row a version, oldest first: `version`, `promoted_at`, `promoted_over`, `rolled_back_at`, `aliases`."""
    client = client_of(settings)
    found = client.search_model_versions(f"name = '{MODEL}'", max_results=1000)
    aliases: dict[str, list[str]] = {}
    for model in client.search_registered_models(f"name = '{MODEL}'"):
        for alias, version in model.aliases.items():
            aliases.setdefault(str(version), []).append(alias)
    told = ("promoted_at", "promoted_over", "challenger_since", "rolled_back_at", "adapter_sha256")
    return [
        {
            "version": str(one.version),
            "aliases": ", ".join(sorted(aliases.get(str(one.version), []))),
            **{key: one.tags.get(key, "") for key in told},
        }
        for one in sorted(found, key=lambda one: int(one.version))
    ]


def _task_in_service(folder: Path) -> str | None:
    path = folder / RECIPE
    return load_recipe(path).marks_by if path.is_file() else None


def _set_champions(settings: Settings, versions: list[str]) -> None:
    client_of(settings).set_registered_model_tag(MODEL, CHAMPIONS, json.dumps(versions))


def _measure_champion() -> str:
    return (
        f"measure the champion on the same answers: `viva-finetune evaluate --judges models:/{MODEL}@{CHAMPION} "
        "--predictions champion.jsonl`, then --against champion.jsonl"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
