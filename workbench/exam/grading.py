"""The keyword judge: marks an answer by the key points it covers, with the candidate's own words as evidence.

Pure and quick, no model: a floor for the other judges, and what marks a viva when nothing else is installed. It looks
for the accepted wordings of each key point and for its misconceptions, reads what is denied, considered or taken
back, and gives nothing for words alone: echoes of the question, lists of terms, requests for marks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from workbench.exam.items import KeyPoint, Question
from workbench.exam.matching import Answer, Match, find, is_inside, read_answer
from workbench.exam.model import MAX_POINTS, Evaluation, KeyPointEvidence, Verdict
from workbench.exam.spoken_terms import read_terms

JUDGE = "keyword-1"

CORRECT_SHARE = 0.6
"""Least share of the key points' weight for the verdict "correct"."""
PARTIAL_SHARE = 0.3
CONTRADICTION_COST = 0.5
"""Part of a contradicted key point's weight that is taken off the marks."""

_SALAD_TERMS = 12
_SALAD_GLUE = 0.2
_SALAD_FOREIGN = 0.5
_SHORT_FOREIGN = 0.65
_SALAD_WORDINGS = 5
_SALAD_WAYS = 7
_LONG_LIST = 60
_HEAP_TERMS = 24
"""A terse answer ("one of adrenaline, three hundred of amiodarone, ...") is shorter than a heap."""
_SALAD_REPEATS = 6
_GLUE = frozenset(
    """i you he she it we they him her them his their is are was be been have has had do does would should could can
    will must the a an that this to because so if which there not""".split()
)


@dataclass(frozen=True)
class _Found:
    point: KeyPoint
    status: str
    match: Match | None
    doubt: float
    mistaken: bool = False


@dataclass(frozen=True)
class PointFound:
    """What the words of an answer say of one key point.

    Attributes:
        evidence: Its status, with the words that show it.
        doubt: How much they leave open, 0 (nothing) to 0.3.
        mistaken: Whether a misconception was claimed.
    """

    evidence: KeyPointEvidence
    doubt: float
    mistaken: bool

    @property
    def status(self) -> str:
        """Covered, contradicted or missing."""
        return self.evidence.status


def find_point(point: KeyPoint, answer: Answer) -> PointFound:
    """Looks for one key point by its wordings; for judges that weigh words against other evidence."""
    found = _look_for(point, answer)
    quote = _quote(answer, found.match) if found.match else ""
    evidence = KeyPointEvidence(point.id, found.status, quote, point.weight)  # type: ignore[arg-type]
    return PointFound(evidence, found.doubt, found.mistaken)


def judge_keywords(
    question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
) -> Evaluation:
    """Marks one answer.

    Args:
        question: The question with its key points.
        answer: What the candidate said, before and after a probe.
        question_text: Scenario and stem as the candidate heard them; taken-over runs of them do not count. The stem
            always is.
        recognition_confidence: How sure the recogniser is of the words, in [0, 1]; it bounds the confidence.

    Returns:
        The mark; evidence in the bank's order, quotes are pieces of `answer` as it stands.
    """
    spoken = recognition_confidence < 1
    read = read_answer(question, answer, f"{question_text} {question.stem}", spoken=spoken)
    found = [_look_for(point, read) for point in question.key_points]
    salad = is_salad(read, question)
    if salad:
        found = [_Found(item.point, "missing", None, 0.3) for item in found]
    evidence = tuple(
        KeyPointEvidence(
            item.point.id,
            item.status,  # type: ignore[arg-type]
            _quote(read, item.match) if item.match else "",
            item.point.weight,
        )
        for item in found
    )
    covered = sum(item.point.weight for item in found if item.status == "covered")
    contradicted = sum(item.point.weight for item in found if item.status == "contradicted")
    essential_wrong = any(item.status == "contradicted" and item.point.essential for item in found)
    verdict = verdict_of(covered, essential_wrong=essential_wrong)
    points = points_of(covered, contradicted, verdict)
    confidence = _confidence(found, covered, read, salad) * max(0.0, min(1.0, recognition_confidence))
    return Evaluation(question.id, verdict, points, evidence, round(confidence, 3), JUDGE)


class KeywordJudge:
    """The keyword judge behind the interface every judge has."""

    name = JUDGE

    def judge(
        self, question: Question, answer: str, *, question_text: str = "", recognition_confidence: float = 1.0
    ) -> Evaluation:
        """Marks one answer; see `judge_keywords`."""
        return judge_keywords(
            question, answer, question_text=question_text, recognition_confidence=recognition_confidence
        )


def verdict_of(covered: float, *, essential_wrong: bool = False) -> Verdict:
    """The verdict for a covered share of the weight; who gets an essential point wrong is at most partly right."""
    if covered >= CORRECT_SHARE - 1e-9 and not essential_wrong:
        return "correct"
    return "partial" if covered >= PARTIAL_SHARE - 1e-9 else "incorrect"


def points_of(covered: float, contradicted: float, verdict: Verdict) -> float:
    """Points from 0 to 10 in steps of 0.5.

    Args:
        covered: Share of the weight that was covered.
        contradicted: Share of the weight that was contradicted.
        verdict: Keeps the points below those of the next better verdict.
    """
    raw = MAX_POINTS * (covered - CONTRADICTION_COST * contradicted)
    top = {"correct": 10.0, "partial": 5.5, "incorrect": 2.5}[verdict]
    return max(0.0, min(top, int(raw * 2 + 0.5 + 1e-9) / 2))


def _look_for(point: KeyPoint, answer: Answer) -> _Found:
    """Whether an answer covers, contradicts or misses one key point."""
    accepted = find(point.accepted, answer)
    wrong = find(point.misconceptions, answer, whole=True)
    said = [m for m in accepted if m.stance == "claimed"]
    weighed = [m for m in accepted if m.stance == "considered"]
    denied = [m for m in accepted if m.stance == "denied"]
    mistakes = [m for m in wrong if m.stance == "claimed" and not is_inside(m, said)]
    weighed_mistakes = [m for m in wrong if m.stance == "considered"]

    if mistakes:
        return _Found(point, "contradicted", _longest(mistakes), 0.2 if said or weighed else 0.0, mistaken=True)
    if said:
        if denied and not _overlap(said, denied):
            # said and unsaid in one breath, and not taken back: no claim to give a mark for
            return _Found(point, "contradicted", _longest(denied), 0.3)
        best = _longest(said)
        return _Found(point, "covered", best, 0.0 if any(m.exact for m in said) else 0.15)
    if weighed:
        if weighed_mistakes or denied:
            return _Found(point, "missing", None, 0.3)
        return _Found(point, "covered", _longest(weighed), 0.25)
    if denied:
        return _Found(point, "contradicted", _longest(denied), 0.1)
    return _Found(point, "missing", None, 0.05 if weighed_mistakes else 0.0)


def _overlap(some: Sequence[Match], others: Sequence[Match]) -> bool:
    return all(any(a.first <= b.last and b.first <= a.last for a in some) for b in others)


def _longest(matches: Sequence[Match]) -> Match:
    return max(matches, key=lambda m: (m.exact, len(m.wording.terms), -m.start))


def _quote(answer: Answer, match: Match) -> str:
    """The candidate's words around a match, to the borders of the clause where that is short."""
    first, last = match.first, match.last
    while first > 0 and answer.clauses[first - 1] == answer.clauses[first] and match.first - first < 4:
        first -= 1
    while last + 1 < len(answer.terms) and answer.clauses[last + 1] == answer.clauses[last] and last - match.last < 3:
        last += 1
    return answer.text[answer.terms[first].start : max(match.end, answer.terms[last].end)].strip()


def is_salad(answer: Answer, question: Question) -> bool:
    """Whether an answer is a heap of terms rather than something said.

    A list is an answer ("four drugs, namely ..."), and so is a telegram. A heap is long, has next to no pronouns, verbs
    or articles, and either most of its words belong to no key point nor to the model answer, or it names one point in
    many ways or one word many times.
    """
    own = [term for i, term in enumerate(answer.terms) if i not in answer.left_out]
    n_terms = len(own)
    if n_terms < _SALAD_TERMS:
        return False
    glue = sum(term.word in _GLUE for term in own) / n_terms
    if glue >= _SALAD_GLUE:
        return False
    ways = max(_ways(find(point.accepted, answer)) for point in question.key_points)
    known = _terms_of_key_points(question)
    foreign = sum(item.stem not in known for item in answer.content) / max(1, len(answer.content))
    most_often = max(Counter(item.stem for item in answer.content).values(), default=0)
    if most_often >= _SALAD_REPEATS:
        return True
    bare = glue < _SALAD_GLUE / 2
    return ways >= _SALAD_WAYS or (
        bare
        and (
            foreign > (_SALAD_FOREIGN if n_terms >= _HEAP_TERMS else _SHORT_FOREIGN)
            or ways >= _SALAD_WORDINGS
            or n_terms >= _LONG_LIST
        )
    )


def wordings_named(answer: Answer, question: Question) -> float:
    """In how many wordings an answer names a key point, one beside the other: the mean over the key points."""
    return sum(_ways(find(point.accepted, answer)) for point in question.key_points) / len(question.key_points)


def _ways(matches: Sequence[Match]) -> int:
    """In how many wordings a point is named, one beside the other: words of one wording are not counted for another."""
    count, last = 0, -1
    seen: set[str] = set()
    for match in sorted(matches, key=lambda m: (m.last, -m.first)):
        if match.first > last and match.wording.text not in seen:
            count, last = count + 1, match.last
            seen.add(match.wording.text)
    return count


@lru_cache(maxsize=1024)
def _terms_of_key_points(question: Question) -> frozenset[str]:
    texts = [text for point in question.key_points for text in (point.text, point.said, *point.accepted)]
    return frozenset(term.stem for text in (*texts, question.model_answer) for term in read_terms(text))


def _confidence(found: Sequence[_Found], covered: float, answer: Answer, salad: bool) -> float:
    """How sure the judge is: less near a border, with doubts about the evidence, with hedged or very short answers."""
    if not answer.terms:
        return 1.0
    margin = min(abs(covered - CORRECT_SHARE), abs(covered - PARTIAL_SHARE))
    confidence = 0.95 - max(0.0, 0.15 - margin)
    confidence -= sum(item.doubt * item.point.weight for item in found)
    confidence -= min(0.15, 0.03 * answer.n_hedges)
    unexplained = covered == 0 and len(answer.content) >= 8 and all(i.status == "missing" for i in found)
    if unexplained or salad:
        # much was said and nothing recognised: a person should look
        confidence -= 0.25
    return max(0.05, min(1.0, confidence))
