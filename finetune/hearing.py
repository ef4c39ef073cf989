"""Marked answers as the workbench hears them: spoken, recognised as in a conversation, kept row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetune.answers import Marked
from finetune.speaking import Spoken, drawn, speak
from finetune.word_errors import word_error_rate
from workbench.engines.base import Transcriber, Transcript, Word
from workbench.simulate.voices import Studio

REVISION = 1
"""Counted up when answers would be heard differently for another reason than those in `key_of`."""


@dataclass(frozen=True)
class Heard:
    """What was heard of one answer.

    Attributes:
        id: Of the answer, see `answer_id`.
        key: Of everything that decides how it sounds and what is expected of it; another key is another hearing.
        question_id: What it answers.
        voice: Name of the voice.
        place: Name of the place, with noise and room.
        snr_db: Speech over noise, decibels.
        seconds: Length of the sound.
        text: What the recogniser wrote.
        confidence: How sure it was, mean probability of a token of the least sure stretch, in [0, 1].
        probabilities: How sure it was of each word of `text`, in [0, 1].
        wer: Word errors per word of the answer.
    """

    id: str
    key: str
    question_id: str
    voice: str
    place: str
    snr_db: float
    seconds: float
    text: str
    confidence: float
    probabilities: tuple[float, ...]
    wer: float


def answer_id(question_id: str, text: str) -> str:
    """Id of an answer: its question, and the first eight hexadecimal digits of the SHA-256 of its words."""
    return f"{question_id}:{hashlib.sha256(' '.join(text.split()).encode()).hexdigest()[:8]}"


def key_of(answer: Marked, seed: int, asr: str, voice: str) -> str:
    """What a hearing depends on, as sixteen hexadecimal digits.

    Args:
        answer: The answer; its question's key terms bias the recogniser.
        seed: Of the draw of voice and place.
        asr: Name of recogniser and weights.
        voice: Name of the voice's weights.
    """
    speaker, place, offset = drawn(answer.text, seed)
    what = [REVISION, answer.text, asdict(speaker), asdict(place), offset, answer.question.key_terms, asr, voice]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def share_of(answers: Sequence[Marked], share: float) -> list[Marked]:
    """A share of the answers, chosen by hash: a larger share holds every answer of a smaller one."""
    if not 0 < share <= 1:
        raise ValueError(f"share must lie above 0 and at most at 1, got {share}")

    def place(answer: Marked) -> float:
        digest = hashlib.sha256(f"share:{answer_id(answer.question.id, answer.text)}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    return [answer for answer in answers if place(answer) < share]


class Hearings:
    """Hearings kept as JSON lines, one added at a time; a run that was stopped goes on where it stopped.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        there = path.is_file()
        self._kept = {row.key: row for row in read_rows(path, torn_end=True)} if there else {}
        if there and path.read_bytes()[-1:] not in (b"", b"\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")  # closes the line a killed run left half written

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Heard | None:
        """The hearing of this key, None where there is none yet."""
        return self._kept.get(key)

    def add(self, row: Heard) -> None:
        """Keeps a hearing; it is on disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line_of(row) + "\n")
        self._kept[row.key] = row


def line_of(row: Heard) -> str:
    """One hearing as a line of JSON."""
    return json.dumps(asdict(row), ensure_ascii=False)


def read_rows(path: Path, *, torn_end: bool = False) -> list[Heard]:
    """Hearings from JSON lines.

    Args:
        path: The file.
        torn_end: Whether a line that is no JSON is passed over, as a killed run leaves one.

    Raises:
        ValueError: A line is no hearing; the message names it.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            rows.append(Heard(**{**data, "probabilities": tuple(data["probabilities"])}))
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            if torn_end and isinstance(error, json.JSONDecodeError):
                continue
            raise ValueError(
                f"{path}:{number} is no hearing ({error}); `viva-finetune hear --out {path}` writes them"
            ) from error
    return rows


async def hear_all(
    answers: Iterable[Marked],
    kept: Hearings,
    studio: Studio,
    transcriber: Transcriber,
    speech_dir: Path,
    *,
    names: tuple[str, str],
    seed: int = 0,
) -> AsyncIterator[Heard]:
    """Hears answers one after another; those heard before cost nothing.

    Args:
        answers: The answers.
        kept: Where hearings are kept.
        studio: Speaks.
        transcriber: Hears.
        speech_dir: Directory with `noise` and `rir`.
        names: Of the recogniser with its weights, and of the voice's weights.
        seed: Of the draw of voices and places.

    Yields:
        One hearing an answer, in their order.
    """
    for answer in answers:
        key = key_of(answer, seed, *names)
        row = kept.get(key)
        if row is None:
            spoken = await speak(studio, answer.text, speech_dir, seed)
            transcript = await listen(transcriber, spoken, answer.question.key_terms)
            voice, place, _ = drawn(answer.text, seed)
            row = Heard(
                id=answer_id(answer.question.id, answer.text),
                key=key,
                question_id=answer.question.id,
                voice=voice.name,
                place=place.name,
                snr_db=place.snr_db,
                seconds=round(spoken.seconds, 2),
                text=transcript.text,
                confidence=round(transcript.confidence, 4),
                probabilities=tuple(round(word.probability, 3) for word in transcript.words),
                wer=round(word_error_rate(answer.text, transcript.text), 4),
            )
            kept.add(row)
        yield row


async def listen(transcriber: Transcriber, spoken: Spoken, key_terms: Sequence[str]) -> Transcript:
    """What is recognised of an answer, stretch by stretch as in a conversation.

    Returns:
        The whole text with one word for every piece between spaces; the confidence is that of the least sure stretch.
    """
    found = [
        await transcriber.transcribe(spoken.samples[start:end], key_terms=key_terms, with_words=True)
        for start, end in spoken.stretches
    ]
    said = [one for one in found if one.text]
    words = [word for one in said for word in words_of(one)]
    return Transcript(
        " ".join(word.text for word in words),
        tuple(words),
        spoken.seconds,
        min((one.confidence for one in said), default=0.0),
    )


def words_of(transcript: Transcript) -> list[Word]:
    """One word for every piece of the text between spaces; a piece of several words is as sure as the worst of them."""
    left = list(transcript.words)
    words = []
    for piece in transcript.text.split():
        taken: list[Word] = []
        while left and piece.startswith("".join(word.text for word in [*taken, left[0]])):
            taken.append(left.pop(0))
        sure = min((word.probability for word in taken), default=transcript.confidence)
        start_s, end_s = (taken[0].start_s, taken[-1].end_s) if taken else (0.0, 0.0)
        words.append(Word(piece, start_s, end_s, sure))
    return words
