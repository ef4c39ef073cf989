"""Graded answers as token ids: prompt and label of a causal model, with the loss's mask, or an encoder's pair."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import fuzz

from finetune.corpora import Record
from workbench.exam.judge_prompts import (
    KEY_POINT_LABELS,
    MARK_LABELS,
    VERDICT_LABELS,
    JudgePrompt,
    Task,
    feedback_prompt,
    key_point_prompt,
    marks_prompt,
    verdict_prompt,
)
from workbench.exam.prompts import ChatMessage

NO_LOSS = -100
"""Label of a token the loss does not count, as PyTorch's cross entropy has it."""

OUTCOMES: dict[str, tuple[str, ...]] = {
    "verdict": tuple(VERDICT_LABELS),
    "key_point": tuple(KEY_POINT_LABELS),
    "marks": tuple(MARK_LABELS),
    "feedback": (),
}
"""What may come out, by task, and nothing where it is written; an encoder's head has its outputs in this order."""

_ASKS: dict[Task, Callable[..., JudgePrompt]] = {
    "verdict": verdict_prompt,
    "marks": marks_prompt,
    "feedback": feedback_prompt,
}

_SHORTEST_REFERENCE = 4
"""Words a candidate's right answer must have to stand in for the reference."""

_TOO_NEAR = 60.0
"""Likeness (0 to 100) from which another question's reference might be an answer to this one."""


@dataclass(frozen=True)
class Asked:
    """One thing a model is to say about one answer.

    Attributes:
        row: Id of the graded row.
        group: Corpus and question.
        task: Which task.
        question: What was asked, with its scenario.
        beside: What the answer is compared with: references, or the one key point.
        answer: The answer.
        outcome: What is right, one of `OUTCOMES`; the words of `feedback`.
    """

    row: str
    group: str
    task: Task
    question: str
    beside: tuple[str, ...]
    answer: str
    outcome: str

    @property
    def source(self) -> str:
        """The corpus."""
        return self.group.partition(":")[0]

    @property
    def place(self) -> int:
        """Place of the outcome among those of its task; 0 where it is written."""
        return OUTCOMES[self.task].index(self.outcome) if OUTCOMES[self.task] else 0


@dataclass(frozen=True)
class Example:
    """Token ids of one `Asked`.

    Attributes:
        input_ids: What the model reads; of a causal model the prompt and the label.
        labels: As long: `NO_LOSS` but for the label's tokens. Empty for an encoder.
        token_types: 0 for the reference's side, 1 for the answer's; empty where the model has none.
        task: Which task.
        place: Place of the right outcome.
        shared: How many tokens at the start are the same for every answer to the question (of `key_point`: for every
            point of the answer).
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    token_types: tuple[int, ...]
    task: Task
    place: int
    shared: int = 0

    @property
    def start(self) -> tuple[int, ...]:
        """The tokens shared."""
        return self.input_ids[: self.shared]


def asked_of(records: Sequence[Record], tasks: Sequence[str]) -> list[Asked]:
    """What rows are asked in each task; a row without ticks has nothing for `key_point`, one without marks nothing for
    `marks`, one without feedback nothing for that."""
    asked = []
    for record in records:
        group = f"{record.corpus}:{record.question_id}"
        if "verdict" in tasks:
            asked.append(
                Asked(record.id, group, "verdict", record.question, record.references, record.answer, record.label)
            )
        if "marks" in tasks and record.score10 is not None:
            mark = str(math.floor(record.score10 + 0.5))
            asked.append(Asked(record.id, group, "marks", record.question, record.references, record.answer, mark))
        if "feedback" in tasks and record.feedback:
            told = " ".join(record.feedback.split())
            asked.append(Asked(record.id, group, "feedback", record.question, record.references, record.answer, told))
        if "key_point" in tasks:
            asked += [
                Asked(record.id, group, "key_point", record.question, (text,), record.answer, status)
                for (text, _), status in zip(record.key_points, record.ticks, strict=False)
            ]
    return asked


def borrowed(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Rows whose answer is a reference of another question of the same corpus: true, fluent, and worth nothing here.

    They teach that an answer is to be compared with *its* reference; a model that knows only what right answers sound
    like gets them wrong.

    Args:
        records: The rows they are made of.
        share: How many, as a part of them.
        seed: Of the draw.
    """
    references: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for record in records:
        pair = (record.question_id, record.references[0])
        if pair not in references[record.corpus]:
            references[record.corpus].append(pair)
    rng = random.Random(f"borrowed:{seed}")
    made = []
    for record in rng.sample(list(records), round(share * len(records))):
        others = references[record.corpus]
        question, text = others[rng.randrange(len(others))]
        right = (*record.references, *(point for point, _ in record.key_points))
        if question == record.question_id or any(fuzz.token_set_ratio(text, one) >= _TOO_NEAR for one in right):
            continue
        ticks = tuple("missing" for _ in record.ticks)
        made.append(
            replace(
                record,
                id=f"{record.id}:borrowed",
                answer=text,
                label="incorrect",
                score10=0.0,
                ticks=ticks,
                feedback="",
            )
        )
    return made


def swapped(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """Rows beside another right answer: the reference is what another candidate said, and was marked correct for.

    A model that meets one question beside many references compares; beside one, it learns the question by heart.

    Args:
        records: The rows they are made of.
        share: How many, as a part of them; rows of questions with no other right answer are left out.
        seed: Of the draw.
    """
    right: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        if record.label == "correct" and len(record.answer.split()) >= _SHORTEST_REFERENCE:
            right[record.corpus, record.question_id].append(record.answer)
    rng = random.Random(f"swapped:{seed}")
    made = []
    for record in rng.sample(list(records), round(share * len(records))):
        others = [text for text in right[record.corpus, record.question_id] if text != record.answer]
        if others:
            made.append(
                replace(
                    record,
                    id=f"{record.id}:swapped",
                    references=(rng.choice(others),),
                    key_points=(),
                    ticks=(),
                    feedback="",
                )
            )
    return made


def prompt_of(asked: Asked) -> JudgePrompt:
    """The prompt, in the words of `judge_prompts`, the same at serving."""
    if asked.task == "key_point":
        return key_point_prompt(asked.question, asked.beside[0], asked.answer)
    asks = _ASKS[asked.task]
    return asks(asked.question, asked.beside, asked.answer)


def prompt_ids(messages: Sequence[ChatMessage], tokenizer: Any) -> list[int]:
    """A chat up to where the reply begins: the model's own template, applied once.

    Args:
        messages: The chat.
        tokenizer: A Hugging Face tokenizer with a chat template.
    """
    text = tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def label_ids(label: str, tokenizer: Any) -> list[int]:
    """A label as the start of the reply, encoded apart from the prompt."""
    return list(tokenizer(label, add_special_tokens=False)["input_ids"])


def causal_example(asked: Asked, tokenizer: Any) -> Example:
    """Prompt and label; the loss counts the label's tokens and no other, but of feedback the one that ends the turn
    too: a model that has not learnt to stop goes on."""
    prompt = prompt_of(asked)
    before = prompt_ids(prompt.messages, tokenizer)
    if asked.task == "feedback":
        label = [*label_ids(asked.outcome, tokenizer), tokenizer.eos_token_id]
    else:
        label = label_ids(prompt.label_of(asked.outcome), tokenizer)
    shared = shared_tokens(asked, before, tokenizer)
    return Example((*before, *label), (*[NO_LOSS] * len(before), *label), (), asked.task, asked.place, shared)


def shared_tokens(asked: Asked, prompt: Sequence[int], tokenizer: Any) -> int:
    """How many tokens at a prompt's start do not depend on what varies last: the answer, or the key point.

    Args:
        asked: What is asked.
        prompt: Its tokens.
        tokenizer: The model's.
    """
    varied = {"beside": ("",)} if asked.task == "key_point" else {"answer": ""}
    return common_start([prompt, prompt_ids(prompt_of(replace(asked, **varied)).messages, tokenizer)])


def common_start(rows: Sequence[Sequence[int]]) -> int:
    """Length of the longest start that all rows have."""
    first, last = min(map(tuple, rows)), max(map(tuple, rows))  # whatever these two share, those between share too
    return next(
        (n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), min(len(first), len(last))
    )


def sides_of(question: str, beside: Sequence[str], answer: str, *, with_question: bool) -> tuple[str, str]:
    """What an encoder reads on either side: the reference nearest to the answer, and the answer.

    Args:
        question: What was asked; stands before the reference where `with_question`.
        beside: References, or one key point.
        answer: The answer.
        with_question: Whether the question is read.
    """
    nearest = max(beside, key=lambda text: float(fuzz.token_set_ratio(text, answer)))
    return f"{question} {nearest}" if with_question else nearest, answer


def encoder_example(asked: Asked, tokenizer: Any, max_tokens: int, *, with_question: bool) -> Example:
    """Both sides with the tokenizer's own marks between them; the longer side is shortened first."""
    left, right = sides_of(asked.question, asked.beside, asked.answer, with_question=with_question)
    found = tokenizer(
        left, right, truncation="longest_first", max_length=max_tokens, return_token_type_ids=True
    )  # asked for, because a tokenizer saved without its class forgets them; of a model without types all are 0
    types = tuple(found["token_type_ids"]) if any(found["token_type_ids"]) else ()
    return Example(tuple(found["input_ids"]), (), types, asked.task, asked.place)
