"""The head that compares: what it takes for reference and answer, and that what it trains is kept and judged by."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from finetune import bases
from finetune.adapter_judge import AdapterError, adapter_judge, load_adapter, verdict_grader
from finetune.adapter_scores import AdapterScores
from finetune.cli import app
from finetune.config import load_recipe
from finetune.export import export
from finetune.hybrid_grader import HybridGrader
from finetune.members import members_for
from finetune.pair_features import Pair
from finetune.predictions import read_predictions
from finetune.prepare import Gathered, prepare, read_prepared, write
from finetune.references import as_marked
from finetune.sides import SidesClassifier
from finetune.train import train
from finetune.vectors import Vectors
from tests.small_corpus import many, row, write_corpus
from tests.test_graders import embed, made_up
from workbench.settings import Settings

SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]
SEPARATOR, PAD = 9, 0


class Counting(nn.Module):
    """An encoder whose state of a token is one-hot: a mean then tells which tokens it was made of."""

    config = SimpleNamespace(hidden_size=16)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **unused: Any) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=nn.functional.one_hot(input_ids, 16).float())


@pytest.mark.parametrize(
    "row",
    [
        [1, 2, 3, SEPARATOR, 4, 5, SEPARATOR],  # as BERT writes it
        [1, 2, 3, SEPARATOR, SEPARATOR, 4, 5, SEPARATOR],  # as MPNet does
        [1, 2, 3, SEPARATOR, 4, 5, SEPARATOR, PAD, PAD],
    ],
)
def test_a_side_is_its_own_words_without_marks_and_padding(row: list[int]) -> None:
    model = SidesClassifier(Counting(), SEPARATOR, 3).eval()
    seen: list[torch.Tensor] = []
    model.classifier.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    ids = torch.tensor([row])
    model(ids, (ids != PAD).long())
    right, said, apart, product = seen[0][0].view(4, 16)
    assert right.nonzero().flatten().tolist() == [2, 3] and said.nonzero().flatten().tolist() == [4, 5]
    assert torch.equal(apart, (right - said).abs()) and not product.any()
    assert float(right.norm()) == pytest.approx(4.0)  # the root of the 16 dimensions


def test_every_weight_is_kept_where_all_of_it_was_trained(tmp_path: Path) -> None:
    recipe = load_recipe("cpu-encoder").changed(base="tiny-encoder", method="full", device="cpu")
    base = bases.find_base("tiny-encoder", "encoder", SETTINGS.models_dir)
    tokenizer = bases.load_tokenizer(base, SETTINGS.models_dir)
    trained = bases.load_model(base, tokenizer, recipe, torch.device("cpu"))
    with torch.no_grad():
        for weights in trained.parameters():
            weights.add_(torch.randn_like(weights))
    trained.save_pretrained(str(tmp_path))
    loaded = bases.load_adapted(base, tokenizer, recipe, tmp_path, torch.device("cpu"))
    row = {"input_ids": torch.tensor([[1, 7, tokenizer.sep_token_id, 8]]), "attention_mask": torch.ones(1, 4)}
    assert torch.equal(loaded(**row).logits, trained(**row).logits)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Path], Path]]:
    """Two adapters on the two halves of the questions, and the rows of the first."""
    folders = []
    for part in (0, 1):
        rows, out = tmp_path_factory.mktemp("rows"), tmp_path_factory.mktemp("adapters") / f"part{part}"
        found = Gathered(records=many())
        write(rows, found, prepare(found, 0.5, 0, part), 0.5, 0, part)
        recipe = load_recipe("cpu-encoder").changed(
            base="tiny-encoder", max_steps=2, batch_rows=4, eval_every=1, save_every=1, device="cpu"
        )
        train(recipe, rows, out, SETTINGS.models_dir)
        folders.append(out)
    yield folders, rows


@pytest.mark.weights
def test_the_trained_head_is_kept_and_judged_by(adapters: tuple[list[Path], Path]) -> None:
    folders, rows = adapters
    loaded = load_adapter(folders[1], SETTINGS.models_dir, "cpu")
    assert isinstance(loaded.model.base_model.model, SidesClassifier)
    marked = as_marked(read_prepared(rows / "validation.jsonl")[0])
    mark = adapter_judge(folders[1], SETTINGS).judge(marked.question, marked.text)
    pair = Pair(marked.question.stem, (marked.question.model_answer,), marked.text)
    chances = verdict_grader(folders[1], SETTINGS).probabilities([pair])[0]
    assert mark.confidence == pytest.approx(chances.max(), abs=1e-3)


@pytest.mark.weights
def test_a_head_that_no_other_program_has_is_not_exported(adapters: tuple[list[Path], Path], tmp_path: Path) -> None:
    folder = adapters[0][0]
    for to in ("merged", "ctranslate2", "vllm"):
        with pytest.raises(AdapterError, match="head that compares sides") as refused:
            export(folder, to, tmp_path / "out", SETTINGS.models_dir)  # type: ignore[arg-type]
        assert "--to" not in str(refused.value) and not any(tmp_path.iterdir())


@pytest.mark.weights
def test_while_a_hybrid_is_fitted_an_adapter_is_silent_on_questions_it_was_trained_on(
    adapters: tuple[list[Path], Path], tmp_path: Path
) -> None:
    folders, rows = adapters
    pairs = [Pair(r.question, r.references, r.answer) for r in read_prepared(rows / "train.jsonl")]
    alone = [np.log(verdict_grader(folder, SETTINGS).probabilities(pairs)) for folder in folders]
    both = AdapterScores(folders, SETTINGS, tmp_path)
    # the rows are those that the second was trained on
    np.testing.assert_allclose(both.log_probabilities(pairs, held_out=True), alone[0], atol=1e-3)
    np.testing.assert_allclose(both.log_probabilities(pairs, held_out=False), np.mean(alone, axis=0), atol=1e-3)
    assert np.isnan(AdapterScores(folders[1:], SETTINGS).log_probabilities(pairs, held_out=True)).all()
    again = AdapterScores(folders, SETTINGS, tmp_path)
    for one in again._asked:  # noqa: SLF001 - what was kept is not asked again
        one._probabilities = None  # type: ignore[assignment,method-assign]
    np.testing.assert_allclose(again.log_probabilities(pairs, held_out=False), np.mean(alone, axis=0), atol=1e-3)


@pytest.mark.weights
def test_an_adapter_in_training_is_not_weighed(adapters: tuple[list[Path], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(adapters[0][0], tmp_path / "running")
    (folder / "metrics.json").write_text('{"status": "running"}')
    with pytest.raises(AdapterError, match="training of .* is unfinished.*wait for its end"):
        AdapterScores([folder], SETTINGS, tmp_path)


@pytest.mark.weights
def test_adapters_of_two_bases_speak_beside_each_other(adapters: tuple[list[Path], Path], tmp_path: Path) -> None:
    folders, rows = adapters
    pairs = [Pair(r.question, r.references, r.answer) for r in read_prepared(rows / "train.jsonl")]
    other = shutil.copytree(folders[1], tmp_path / "other")
    recipe = load_recipe(other / "recipe.yaml")
    both = AdapterScores([*folders, other], SETTINGS)
    both._asked[2].base = "another"  # noqa: SLF001 - what another base would say is of no interest here
    both.voices = (recipe.base, "another")
    held = both.log_probabilities(pairs, held_out=True)
    assert held.shape == (len(pairs), 6) and np.isfinite(held[:, :3]).all() and np.isnan(held[:, 3:]).all()
    alone = np.log(verdict_grader(folders[1], SETTINGS).probabilities(pairs))
    np.testing.assert_allclose(both.log_probabilities(pairs, held_out=False)[:, 3:], alone, atol=1e-3)


class Knowing:
    """Stands in for adapters that know the right answers to questions they never met.

    Args:
        right: Place of the label by answer and question.
        met: Questions that all of them were trained on.
    """

    def __init__(self, right: dict[str, int], met: Collection[str] = ()) -> None:
        self.right = right
        self.met = met
        self.asked: list[bool] = []

    def log_probabilities(self, pairs: list[Pair], *, held_out: bool) -> Any:
        self.asked.append(held_out)
        told = np.log([np.full(3, 0.1) + 0.7 * np.eye(3)[self.right[pair.answer + pair.question]] for pair in pairs])
        told[[held_out and pair.question in self.met for pair in pairs]] = np.nan
        return told


def test_the_hybrid_weighs_what_adapters_say_and_asks_for_the_held_out_word_only_in_its_fit() -> None:
    pairs, labels, groups = made_up(10, 3)
    labels = [labels[(i * 7) % len(labels)] for i in range(len(labels))]  # what words cannot tell
    names = ("correct", "partial", "incorrect")
    knowing = Knowing({p.answer + p.question: names.index(v) for p, v in zip(pairs, labels, strict=True)})
    hybrid = HybridGrader("x", ("minilm",), {"minilm": Vectors(embed)}, [Path("a")], knowing)  # type: ignore[arg-type]
    hybrid.fit(pairs, labels, groups)
    given = [names[int(k)] for k in hybrid.probabilities(pairs).argmax(axis=1)]
    assert given == labels and knowing.asked == [True, False]
    assert set(hybrid.validated["members"]) - set(members_for(("minilm",))) == {"adapters", "boosting, adapters"}
    assert hybrid.validated["members"]["adapters"] == 1.0


def test_one_adapter_is_weighed_by_the_questions_it_was_held_from() -> None:
    pairs, labels, groups = made_up(10, 3)
    labels = [labels[(i * 7) % len(labels)] for i in range(len(labels))]
    names = ("correct", "partial", "incorrect")
    right = {p.answer + p.question: names.index(v) for p, v in zip(pairs, labels, strict=True)}
    questions = list(dict.fromkeys(pair.question for pair in pairs))
    vectors = {"minilm": Vectors(embed)}
    hybrid = HybridGrader("x", ("minilm",), vectors, [Path("a")], Knowing(right, questions[:4]))  # type: ignore[arg-type]
    hybrid.fit(pairs, labels, groups)
    assert [names[int(k)] for k in hybrid.probabilities(pairs).argmax(axis=1)] == labels
    assert hybrid.validated["questions"] == {"weighed_on": 6, "of": 10} and hybrid.validated["n"] < len(pairs)
    members = hybrid.validated["members"]
    assert set(members) - set(members_for(("minilm",))) == {"these together", "adapters"} and members["adapters"] == 1.0
    few = HybridGrader("x", ("minilm",), vectors, [Path("a")], Knowing(right, questions[:5]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="held from 5 of 10 questions, at least 6 .* --part 0"):
        few.fit(pairs, labels, groups)


def test_a_label_that_only_one_of_the_held_questions_has_breaks_nothing() -> None:
    pairs, labels, groups = made_up(10, 3)
    questions = list(dict.fromkeys(pair.question for pair in pairs))
    labels = [
        "partial" if label == "incorrect" and pair.question in questions[5:] else label
        for pair, label in zip(pairs, labels, strict=True)
    ]
    names = ("correct", "partial", "incorrect")
    right = {p.answer + p.question: names.index(v) for p, v in zip(pairs, labels, strict=True)}
    vectors = {"minilm": Vectors(embed)}
    hybrid = HybridGrader("x", ("minilm",), vectors, [Path("a")], Knowing(right, questions[:4]))  # type: ignore[arg-type]
    hybrid.fit(pairs, labels, groups)
    chances = hybrid.probabilities(pairs)
    assert chances.shape == (len(pairs), 3) and np.allclose(chances.sum(axis=1), 1)


def test_what_words_say_is_learnt_on_all_questions_though_an_adapter_was_held_from_few() -> None:
    pairs, labels, groups = made_up(10, 3)
    names = ("correct", "partial", "incorrect")
    questions = list(dict.fromkeys(pair.question for pair in pairs))
    plain = HybridGrader("x", ("minilm",), {"minilm": Vectors(embed)})
    plain.fit(pairs, labels, groups)
    silent = Knowing(
        {pair.answer + pair.question: 0 for pair in pairs}, questions[:4]
    )  # says correct, whatever is asked
    beside = HybridGrader("x", ("minilm",), {"minilm": Vectors(embed)}, [Path("a")], silent)  # type: ignore[arg-type]
    beside.fit(pairs, labels, groups)
    said = [[names[int(k)] for k in one.probabilities(pairs).argmax(axis=1)] for one in (plain, beside)]
    assert said[0] == said[1] == labels


def test_a_hybrid_kept_before_there_were_adapters_still_judges() -> None:
    hybrid = HybridGrader("x", ("minilm",), {"minilm": Vectors(embed)})
    state = {key: value for key, value in hybrid.__getstate__().items() if key not in ("adapters", "_scores")}
    old = HybridGrader.__new__(HybridGrader)
    old.__setstate__(state)
    assert old.adapters == () and old.encoders == ("minilm",)


@pytest.mark.weights
def test_an_adapter_that_does_not_say_what_it_was_trained_on_is_not_weighed(
    adapters: tuple[list[Path], Path], tmp_path: Path
) -> None:
    silent = shutil.copytree(adapters[0][0], tmp_path / "silent")
    (silent / "data.json").unlink()
    pairs = [Pair("What?", ("This.",), "that")]
    with pytest.raises(AdapterError, match="does not say which questions it was trained on"):
        AdapterScores([silent], SETTINGS).log_probabilities(pairs, held_out=True)
    assert np.isfinite(AdapterScores([silent], SETTINGS).log_probabilities(pairs, held_out=False)).all()


@pytest.mark.weights
def test_a_question_of_a_corpus_counts_as_seen_where_the_adapter_was_trained_on_it(
    adapters: tuple[list[Path], Path], tmp_path: Path
) -> None:
    """Whatever its split says: rows of one's own may hold the questions of a test split."""
    rows = [
        row(r.id, r.question_id, r.answer, r.label, question=r.question, references=list(r.references))
        for name in ("train", "validation")
        for r in read_prepared(adapters[1] / f"{name}.jsonl")
    ]
    data, marks = write_corpus(tmp_path / "data", [], [], rows), tmp_path / "marks.jsonl"
    arguments = ["evaluate", "--on", "scientsbank", "--data", str(data), "--predictions", str(marks)]
    done = CliRunner().invoke(app, [*arguments, "--judges", f"adapter:{adapters[0][1]}"])
    assert done.exit_code == 0, done.output
    learnt = {r.question_id for r in read_prepared(adapters[1] / "train.jsonl")}
    found = read_predictions(marks)
    assert {p.question_id for p in found if p.slices["question"] == "seen"} == learnt
    assert {p.slices["question"] for p in found} == {"seen", "unseen"}
