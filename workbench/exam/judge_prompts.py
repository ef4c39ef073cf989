"""The one place where a judging prompt is built: what a language model is asked of an answer.

Service and training both call these functions and nothing else, so that an adapter is asked, to the letter, what it was
trained on. `VERSION` rises with every change of a word; an adapter is to carry the version it was trained with.

**Four tasks.** `key_point`: does the answer say one thing that the solution says (`covered`), say otherwise
(`contradicted`), or not speak of it (`missing`)? `verdict`: is the answer as a whole `correct`, `partial` or
`incorrect` beside a reference? `marks`: how many marks of ten is it worth beside a reference? `feedback`: what is the
candidate told? All take plain texts, so that a set which knows only reference answers is asked in the same words as the
banks; `key_point_prompts` and `verdict_prompt_of` take a bank's `Question`.

**The rendering.** A prompt is a chat: a system message and one of the user. The model's chat template is applied once,
by whoever knows it (`engines.smollm2.render` here, the server behind `/v1/chat/completions`), with the opening of the
assistant's turn at its end. The label follows at once as the start of that turn: no leading space, and encoded apart
from the prompt (the opening ends with a line feed, over which neither vocabulary joins). A label's score is the sum of
the log-probabilities of all its tokens; the token that ends the turn is no part of it.

    <|im_start|>system\\n...<|im_end|>\\n<|im_start|>user\\n...<|im_end|>\\n<|im_start|>assistant\\ncovered
    ---- the prompt: render(messages), no loss -----------------------------------------------|label, loss

Feedback is written, not chosen: its words follow as a label does, and the token that ends the turn is learnt too.

In training, then, the ids are those of `render(messages)` and of `encode(label)`, one after the other; the loss counts
the label's tokens and no other (none of the template's, not the one that ends the turn); nothing is cut off at either
end, since every field is bounded here.

**The labels** are words that are one token at the start of a turn, and each another one, in the vocabularies of SmolLM2
and of Llama 3: `correct` 18382 and 20523, `partial` 24975 and 38520, `wrong` 34852 and 35970, `covered` 30166 and
21468, `missing` 24868 and 31716. ("incorrect" and "contradicted" are two and three in SmolLM2's.) So a server is asked
for a single token, and no label is likelier for being shorter. Marks are the words `zero` to `ten`, for the figure 10
begins as 1 does; in SmolLM2's vocabulary they are one token each too.

**The answer is data.** It stands on one line, in quotation marks that it cannot contain, without the brackets and bars
that templates make their role tags of, bounded in length; and what is asked of it comes after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from workbench.exam.items import Question
from workbench.exam.model import Verdict
from workbench.exam.prompts import ChatMessage, clean

Task = Literal["key_point", "verdict", "marks", "feedback"]
Status = Literal["covered", "contradicted", "missing"]

VERSION = 1
"""Version of every word below."""

KEY_POINT_LABELS: Mapping[Status, str] = MappingProxyType(
    {"covered": "covered", "contradicted": "wrong", "missing": "missing"}
)
"""What the model says for each status, in the order of `calibration.STATUSES`."""

VERDICT_LABELS: Mapping[Verdict, str] = MappingProxyType(
    {"correct": "correct", "partial": "partial", "incorrect": "wrong"}
)
"""What the model says for each verdict."""

MARK_LABELS: Mapping[str, str] = MappingProxyType(
    {
        str(mark): word
        for mark, word in enumerate(
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
        )
    }
)
"""What the model says for each mark from 0 to 10."""

QUESTION_BYTES = 1200
REFERENCE_BYTES = 2400
POINT_BYTES = 600
ANSWER_BYTES = 2400
"""Longest text of each kind in UTF-8; the end of a longer one is dropped. An answer has some 420 words then, nearly
three minutes of speech. A token is at least a byte, so that no prompt has more than 6500."""

SYSTEM_PROMPTS: Mapping[Task, str] = MappingProxyType(
    {
        "key_point": (
            "You mark spoken examination answers. You are given one point of the solution. Reply with one word: "
            "covered if the answer says it, wrong if the answer says otherwise, missing if the answer does not say it."
        ),
        "verdict": (
            "You mark spoken examination answers. You are given a reference answer. Reply with one word: correct if "
            "the answer says what the reference says, partial if it says a part of it, wrong if it says neither."
        ),
        "marks": (
            "You mark spoken examination answers. You are given a reference answer. Reply with one word from zero to "
            "ten: ten if the answer says all that the reference says, zero if it says nothing of it."
        ),
        "feedback": (
            "You examine a candidate. You are given a reference answer. Tell the candidate in one or two sentences "
            "what was right in the answer and what was wrong or missing."
        ),
    }
)
"""What the model is told to be, by task."""

NO_ANSWER = ("N/A", "")
"""Answers without content, by which the leaning of a model that was not trained to judge is measured."""


@dataclass(frozen=True)
class JudgePrompt:
    """One thing a model is asked.

    Attributes:
        task: Which of the four.
        messages: The chat, ending with the user's message.
        labels: The words it may reply; none where it writes.
        outcomes: What each label stands for, in the same order.
    """

    task: Task
    messages: tuple[ChatMessage, ...]
    labels: tuple[str, ...]
    outcomes: tuple[str, ...]

    def label_of(self, outcome: str) -> str:
        """The word for an outcome, to be trained on.

        Raises:
            ValueError: The task has no such outcome; the message lists those it has.
        """
        if outcome not in self.outcomes:
            raise ValueError(f"{self.task} has no outcome {outcome!r}; it has {', '.join(self.outcomes)}")
        return self.labels[self.outcomes.index(outcome)]


def key_point_prompt(question: str, key_point: str, answer: str, *, scenario: str = "") -> JudgePrompt:
    """Asks whether an answer makes one point.

    What differs between the key points of an answer comes last: a model reads what they share once.

    Args:
        question: The question as it was put.
        key_point: The point as a sentence.
        answer: What the candidate said.
        scenario: The situation the question is about.
    """
    lines = (
        f"Question: {_line(f'{scenario} {question}', QUESTION_BYTES)}",
        f'Answer: "{_answer(answer)}"',
        f"Point: {_line(key_point, POINT_BYTES)}",
        f"Is the point {_choice(tuple(KEY_POINT_LABELS.values()))} in the answer?",
    )
    return _prompt("key_point", lines, KEY_POINT_LABELS)


def verdict_prompt(question: str, references: Sequence[str], answer: str, *, scenario: str = "") -> JudgePrompt:
    """Asks for the verdict on an answer beside one or more reference answers.

    Args:
        question: The question as it was put.
        references: Answers that would be correct, or the key points of one; at least one.
        answer: What the candidate said.
        scenario: The situation the question is about.

    Raises:
        ValueError: No reference was given.
    """
    lines = _beside("a verdict", f"{scenario} {question}", references, answer)
    return _prompt("verdict", (*lines, f"Is the answer {_choice(tuple(VERDICT_LABELS.values()))}?"), VERDICT_LABELS)


def marks_prompt(question: str, references: Sequence[str], answer: str, *, scenario: str = "") -> JudgePrompt:
    """Asks for the marks of an answer, 0 to 10, beside one or more reference answers; see `verdict_prompt`.

    Raises:
        ValueError: No reference was given.
    """
    lines = _beside("a mark", f"{scenario} {question}", references, answer)
    return _prompt("marks", (*lines, "How many marks is the answer worth, zero to ten?"), MARK_LABELS)


def feedback_prompt(question: str, references: Sequence[str], answer: str, *, scenario: str = "") -> JudgePrompt:
    """Asks for what the candidate is told about an answer; see `verdict_prompt`.

    Raises:
        ValueError: No reference was given.
    """
    lines = _beside("feedback", f"{scenario} {question}", references, answer)
    return _prompt("feedback", (*lines, "What do you tell the candidate?"), {})


def key_point_prompts(question: Question, answer: str, *, scenario: str = "") -> tuple[JudgePrompt, ...]:
    """One prompt for each key point of a bank's question, in the bank's order; see `key_point_prompt`."""
    return tuple(
        key_point_prompt(question.stem, point.text, answer, scenario=scenario) for point in question.key_points
    )


def verdict_prompt_of(question: Question, answer: str, *, scenario: str = "") -> JudgePrompt:
    """The verdict on an answer to a bank's question, beside its model answer; see `verdict_prompt`."""
    return verdict_prompt(question.stem, (question.model_answer,), answer, scenario=scenario)


def _beside(what: str, question: str, references: Sequence[str], answer: str) -> tuple[str, ...]:
    if not any(reference.strip() for reference in references):
        raise ValueError(f"{what} needs a reference answer or key points beside the answer; none was given")
    return (
        f"Question: {_line(question, QUESTION_BYTES)}",
        f"Reference: {_line(' / '.join(references), REFERENCE_BYTES)}",
        f'Answer: "{_answer(answer)}"',
    )


def _prompt(
    task: Task, lines: Sequence[str], labels: Mapping[Status, str] | Mapping[Verdict, str] | Mapping[str, str]
) -> JudgePrompt:
    messages: tuple[ChatMessage, ...] = (
        {"role": "system", "content": SYSTEM_PROMPTS[task]},
        {"role": "user", "content": "\n".join(lines)},
    )
    return JudgePrompt(task, messages, tuple(labels.values()), tuple(labels))


def _choice(labels: tuple[str, ...]) -> str:
    return f"{', '.join(labels[:-1])} or {labels[-1]}"


def _answer(text: str) -> str:
    """The answer between its quotation marks."""
    return _line(text, ANSWER_BYTES).translate(_QUOTES)


_QUOTES = str.maketrans({mark: "'" for mark in '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\uff02'})


def _line(text: str, most_bytes: int) -> str:
    """One line without markup, cut to whole characters."""
    return clean(text, len(text)).encode()[:most_bytes].decode(errors="ignore").strip()
