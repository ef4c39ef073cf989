"""Training data from graded answers of several sources: gathered, split, checked, written with a card."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finetune import marked_sessions
from finetune.answers import CALIBRATION, Marked, exemplars, ticked
from finetune.config import RecipeError
from finetune.confusions import Confusions
from finetune.corpora import CORPORA, LABELS, CorpusError, Left, Record, card, load
from finetune.made_rows import SLIPS, heard_copies, worthless_answers
from finetune.negatives import KINDS
from finetune.own_rows import Unfit, read_own
from finetune.splits import SHORT_WORDS, Split, crossings, split_by_question

if TYPE_CHECKING:
    from workbench.store.repository import Store

SOURCES = (*CORPORA, "banks", "calibration", marked_sessions.SOURCE)
"""What `--from` knows; `banks` is the tuning half of the exemplars, `calibration` the answers ticked by key point,
`sessions` vivas that were held."""

BANK_LICENCE = "CC BY 4.0"
_QUARTER = 64


@dataclass(frozen=True)
class Gathered:
    """Rows of all sources.

    Attributes:
        records: What may be used.
        left_out: What may not, with the reason.
        unfit: Lines of files of one's own that do not fit.
        tests: Rows to measure on, which nothing prepared may tell of.
        sources: Licence, origin and hash by source.
    """

    records: list[Record] = field(default_factory=list)
    left_out: list[Left] = field(default_factory=list)
    unfit: list[Unfit] = field(default_factory=list)
    tests: list[Record] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)


def set_aside(question_id: str) -> bool:
    """Whether a question of the banks is kept for measuring: a quarter of them, by the hash of the id.

    The held-out half of exemplars belongs to the same questions as the tuning half; only these questions are ones that
    nothing trained on prepared data has met.
    """
    return hashlib.sha256(question_id.encode()).digest()[0] < _QUARTER


def gather(
    sources: Sequence[str],
    directory: Path | None,
    banks_dir: Path | None = None,
    own: Sequence[Path] = (),
    columns: Mapping[str, str] | None = None,
    store: Store | None = None,
) -> Gathered:
    """Reads what is asked for.

    Args:
        sources: Some of `SOURCES`.
        directory: Of the corpora; None will do where none is asked for.
        banks_dir: Of further question banks.
        own: Files of one's own, see `finetune.own_rows`.
        columns: Their columns by field.
        store: Where vivas are, for `sessions`.

    Raises:
        CorpusError: An unknown source, or a file that cannot be read.
    """
    unknown = [source for source in sources if source not in SOURCES]
    if unknown:
        raise CorpusError(f"unknown sources {', '.join(unknown)}; known: {', '.join(SOURCES)}")
    found = Gathered()
    for source in sources:
        if source in CORPORA:
            _gather_corpus(found, source, directory)
        elif source == marked_sessions.SOURCE:
            _gather_sessions(found, store)
        else:
            _gather_bank(found, source, banks_dir)
    for path in own:
        if path.name in found.sources:
            raise CorpusError(f"{path}: another file of this name is there already; give one of them another name")
        records, unfit = read_own(path, columns or {})
        found.records.extend(records)
        found.unfit.extend(unfit)
        found.sources[path.name] = {
            "licence": "the owner's",
            "sha256": {path.name: _sha256(path)},
            "rows": len(records),
        }
    ids = Counter(record.id for record in found.records)
    doubled = [key for key, count in ids.items() if count > 1]
    if doubled:
        raise CorpusError(f"{len(doubled)} ids stand twice, such as {doubled[0]!r}; give each row an id of its own")
    return found


def prepare(
    found: Gathered, share: float, seed: int, part: int = 0, *, heard: float = 0.0, worthless: int = 0
) -> Split:
    """Splits what was gathered, adds made rows to the training side, and makes sure that nothing stands on two sides.

    Args:
        found: What was gathered.
        share: Of the questions, for validation.
        seed: Of every draw.
        part: See `split_by_question`.
        heard: Training rows copied with a recogniser's slips, as a part of them, see `finetune.made_rows`.
        worthless: Answers made to each training question that earn nothing.

    Raises:
        ValueError: A side would be empty.
        AssertionError: The split leaks all the same, which is a fault of this program.
    """
    split = split_by_question(found.records, share, seed, found.tests, part)
    if heard or worthless:
        made = heard_copies(split.train, heard, seed, Confusions.load(SLIPS)) if heard else []
        made += worthless_answers(split.train, worthless, seed)
        told = {one.one for one in crossings(made, (*split.validation, *found.tests)) if one.kind == "answer"}
        split = replace(split, train=(*split.train, *(record for record in made if record.id not in told)))
    for one, other in ((split.train, split.validation), (split.train, found.tests), (split.validation, found.tests)):
        crossed = crossings(one, other)
        assert not crossed, f"{len(crossed)} rows stand on two sides, first {crossed[0]}"
    return split


def write(out: Path, found: Gathered, split: Split, share: float, seed: int, part: int = 0) -> dict[str, Any]:
    """Writes `train.jsonl`, `validation.jsonl`, `rejected.jsonl`, `card.json` and `README.md`, which `datasets` reads.

    Args:
        out: A directory; made where it is missing.
        found: What was gathered.
        split: What was made of it.
        share: As asked for.
        seed: As asked for.
        part: As asked for.

    Returns:
        The card.
    """
    out.mkdir(parents=True, exist_ok=True)
    sides = {"train": split.train, "validation": split.validation}
    for name, records in sides.items():
        _write_lines(out / f"{name}.jsonl", [_row(record) for record in records])
    rejected = [*found.left_out, *split.rejected]
    _write_lines(
        out / "rejected.jsonl",
        [{"id": left.record.id, "reason": left.reason} for left in rejected]
        + [{"id": unfit.where, "reason": unfit.reason} for unfit in found.unfit],
    )
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "validation_share": share,
        "seed": seed,
        "part": part,
        "sources": found.sources,
        "splits": {
            name: _counts(records) | {"sha256": _sha256(out / f"{name}.jsonl")} for name, records in sides.items()
        },
        "made": _made(split.train),
        "rejected": dict(
            Counter([left.reason.split(" (")[0] for left in rejected] + [unfit.reason for unfit in found.unfit])
        ),
    }
    (out / "card.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "README.md").write_text(_readme(made), encoding="utf-8")
    return made


def read_prepared(path: Path) -> list[Record]:
    """Rows that `write` wrote.

    Raises:
        RecipeError: A line is no such row; the message names the line.
    """
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["references"] = tuple(row["references"])
            row["key_points"] = tuple((point["text"], point["weight"]) for point in row["key_points"])
            row["ticks"] = tuple(row["ticks"])
            records.append(Record(**row))
        except (KeyError, TypeError, ValueError) as error:
            raise RecipeError(
                f"{path}:{number} is no row as `viva-finetune prepare` writes them ({error!r}); answers of "
                "your own are prepared first: viva-finetune prepare --own FILE --out FOLDER"
            ) from error
    return records


def _gather_corpus(found: Gathered, corpus: str, directory: Path | None) -> None:
    if directory is None:
        raise CorpusError(f"{corpus} is read from a directory; give --data or set VIVA_SHARED_DIR")
    train = load(corpus, "train", directory)
    tests = {split: load(corpus, split, directory) for split in ("test-ua", "test-uq")}
    found.records.extend(train.records)
    found.left_out.extend(train.left_out)
    # in test-ua the questions are those of the train split by design, and `load` has taken its answers out
    found.tests.extend(tests["test-uq"].records)
    found.sources[corpus] = {
        **{key: value for key, value in card(corpus).items() if key != "sha256"},
        "sha256": {"train": train.sha256} | {split: loaded.sha256 for split, loaded in tests.items()},
        "as_published": train.as_published and all(loaded.as_published for loaded in tests.values()),
    }


def _gather_sessions(found: Gathered, store: Store | None) -> None:
    if store is None:
        raise CorpusError("sessions are read from a database; VIVA_DATABASE_URL or VIVA_DATA_DIR says where it is")
    records, left_out = marked_sessions.marked_sessions(store)
    for record in records:
        if set_aside(record.question_id.removeprefix("banks:")):
            left_out.append(Left(record, "its question is set aside for measuring"))
        else:
            found.records.append(record)
    found.left_out.extend(left_out)
    found.sources[marked_sessions.SOURCE] = {
        "licence": "the owner's: what candidates agreed to",
        "source": "vivas held with this workbench, marked by educators",
    }


def _gather_bank(found: Gathered, source: str, banks_dir: Path | None) -> None:
    rows = exemplars("tuning", banks_dir) if source == "banks" else ticked(banks_dir=banks_dir)
    for number, row in enumerate(rows):
        record = _of_bank(row, source, number)
        if set_aside(row.question.id):
            found.left_out.append(Left(record, "its question is set aside for measuring"))
        else:
            found.records.append(record)
    licence: dict[str, Any] = {"licence": BANK_LICENCE, "source": "Viva Workbench authors"}
    if source == "calibration":
        licence["sha256"] = {CALIBRATION.name: _sha256(CALIBRATION)}
    found.sources[source] = licence


def _of_bank(row: Marked, source: str, number: int) -> Record:
    question = row.question
    return Record(
        f"{source}:{question.id}:{number}",
        f"banks:{question.id}",
        f"{row.scenario} {question.stem}".strip(),
        (question.model_answer,),
        row.text,
        row.verdict,
        row.points,
        source,
        "train",
        "",
        tuple((point.text, point.weight) for point in question.key_points),
        row.statuses,
    )


def _row(record: Record) -> dict[str, Any]:
    row = asdict(record)
    row["references"] = list(record.references)
    row["key_points"] = [{"text": text, "weight": weight} for text, weight in record.key_points]
    row["ticks"] = list(record.ticks)
    if not record.feedback:
        del row["feedback"]
    return row


def _made(records: Sequence[Record]) -> dict[str, int]:
    """Rows nobody said, by how they were made, which ends their ids."""
    ends = Counter(record.id.partition("::")[2] for record in records)
    return {kind: ends[kind] for kind in ("heard", *KINDS) if ends[kind]}


def _counts(records: Sequence[Record]) -> dict[str, Any]:
    by_source: dict[str, dict[str, int]] = {}
    for source in sorted({record.corpus for record in records}):
        labels = Counter(record.label for record in records if record.corpus == source)
        by_source[source] = {label: labels[label] for label in LABELS}
    return {
        "rows": len(records),
        "questions": len({(record.question_id, record.question) for record in records}),
        "labels": {label: sum(counts[label] for counts in by_source.values()) for label in LABELS},
        "by_source": by_source,
    }


def _readme(made: Mapping[str, Any]) -> str:
    front = {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": name, "path": f"{name}.jsonl"} for name in made["splits"]],
            }
        ],
        "language": ["en"],
    }
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False).strip(),
        "---",
        "# Graded answers, prepared for training",
        "",
    ]
    lines += [
        f"Made by `viva-finetune prepare` on {made['date']}; {made['validation_share']:.0%} of each source's questions "
        f"held out for validation, seed {made['seed']}, part {made['part']}.",
        "",
        "| split | rows | questions | correct | partial | incorrect | SHA-256 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, counts in made["splits"].items():
        labels = " | ".join(
            f"{counts['labels'][label]} ({counts['labels'][label] / max(1, counts['rows']):.0%})" for label in LABELS
        )
        lines.append(f"| {name} | {counts['rows']} | {counts['questions']} | {labels} | {counts['sha256'][:12]} |")
    lines += ["", "| source | licence | where from | rows to train on | to validate with |", "|---|---|---|---|---|"]
    own = [name for name, about in made["sources"].items() if "rows" in about]
    licensed = {name: about for name, about in made["sources"].items() if name not in own}
    if own:
        licensed["own"] = {"licence": "the owner's", "source": ", ".join(own)}
    for source, about in licensed.items():
        n = [sum(made["splits"][name]["by_source"].get(source, {}).values()) for name in made["splits"]]
        lines.append(f"| {source} | {about['licence']} | {about.get('source', '')} | {n[0]} | {n[1]} |")
    lines += ["", "Rejected rows are in `rejected.jsonl`, each with its reason:", ""]
    lines += [f"- {count}: {reason}" for reason, count in sorted(made["rejected"].items(), key=lambda item: -item[1])]
    lines += [
        "",
        f"No question, no nearly equal answer of {SHORT_WORDS} words or more and no candidate stands on two sides, nor "
        "in a corpus' test-uq; no answer to the same question stands in test-ua. Share-alike licences of the sources "
        "hold for these files too. **For** training and choosing models that mark answers; **not for** judging the "
        "people who answered.",
        "",
    ]
    return "\n".join(lines)


def _write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
