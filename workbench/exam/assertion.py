"""Which words of an answer are claimed, denied, merely considered, unknown to the speaker, or taken back.

A small grammar of spoken clauses in the spirit of NegEx (Chapman et al. 2001, J Biomed Inform 34:301): trigger words
open a scope that ends where the clause ends. It knows what candidates say ("I wouldn't give", "no need for", "rather
than", "no sorry, I mean"); it does not parse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from workbench.exam.disowning import sentence_effects
from workbench.exam.spoken_terms import Term

Stance = Literal["claimed", "denied", "disowned", "considered", "unknown", "retracted", "operator"]
"""`disowned`: turned down along with its whole sentence. `operator`: the words that do the denying or hedging."""

_PRONOUNS = frozenset("i you we he she they it this that there who which what".split())
_AUXILIARIES = frozenset(
    "is are was were be do does did would should could can will must may might shall has have had need wo".split()
)
_BREAKS = frozenset(
    "but because since although though whereas so then instead unless until otherwise however when while if".split()
)
_NO_BREAKS = frozenset(
    [("so", "not"), *(("if", verb) for verb in ("know", "remember", "recall", "sure", "certain", "tell"))]
)
"""Pairs of a would-be break and the word before it that hold a clause together: "I don't know if ..."."""
_NEGATIONS = frozenset("not never".split())
_NOMINAL_NEGATIONS = frozenset("no without nor neither none nobody nothing zero".split())
_REFUSALS = frozenset(
    """avoid avoiding avoided withhold withholding withheld hold holding stop stopping stopped discontinue discontinued
    discontinuing omit omitting skip skipping refuse deny denies against unlikely""".split()
)
"""Verbs that deny what follows them."""
_VERDICTS = frozenset(
    """contraindicated unnecessary inappropriate harmful dangerous useless pointless wrong incorrect false unhelpful
    irrelevant forbidden""".split()
)
"""Predicates that deny their subject."""
_MAKES = frozenset("make makes made making worsen worsens".split())
_UNDONE = frozenset("delay delaying forget hesitate miss waste".split())
"""Verbs whose denial affirms what follows: "don't delay", "never forget"."""
_STRONG_HEDGES = frozenset("might could may possibly maybe perhaps consider considering suspect".split())
_DEGREES = frozenset("more most less least as how".split())
"""Before a verdict they weigh, they do not turn down: "the most dangerous stage"."""
_BARE_STOPS = frozenset("when at after there here before once as if until short by within and or in".split())
"""What follows a "stop" that stops nothing named: "stop short of it", "stop and call for help"."""
_GRIPS = frozenset(
    """back by up down still steady clear level attitude height position firmly upright between open closed
    plenty moisture water charge""".split()
)
"""What makes "hold" a grip and no refusal, within a few words of it: "hold it by the crown"."""
_STATES = frozenset(
    """better worse different improvement improving improved change changed response responding relief effect pulse
    breathing sign signs working settled""".split()
)
"""After "if ... no" they name a finding: "if she is no better"."""
_NEUTRAL = frozenset("only just necessarily".split())
_CONDITIONS = frozenset("if unless until while when otherwise".split())
_MAX_LIST_ITEM = 3


@dataclass
class Reading:
    """Terms with the stance the speaker takes to each, and whether the turn corrects itself."""

    terms: list[Term]
    stances: list[Stance]
    clauses: list[int]


def read_stances(terms: Sequence[Term]) -> Reading:
    """Reads the stance of every term.

    Args:
        terms: All terms of one text, small words included, as `read_terms` gives them.
    """
    stances: list[Stance] = ["claimed"] * len(terms)
    clauses = _clauses(terms)
    spans = _spans(clauses)
    _corrections(terms, stances)
    for first, last in spans:
        _read_clause(terms, stances, first, last)
        if terms[first].word in _CONDITIONS:
            # "if fluid is not enough" denies nothing
            for k in range(first, last):
                if stances[k] == "denied":
                    stances[k] = "unknown"
    _lists_inherit(terms, stances, spans)
    _whole_denials(terms, stances, clauses)
    _whole_sentences(terms, stances)
    return Reading(list(terms), stances, clauses)


def _clauses(terms: Sequence[Term]) -> list[int]:
    """Number of the clause each term stands in."""
    numbers: list[int] = []
    clause = 0
    for i, term in enumerate(terms):
        following = terms[i + 1].word if i + 1 < len(terms) else ""
        if i and (
            term.sentence != terms[i - 1].sentence
            or term.after_pause
            or (term.word in _BREAKS and (term.word, terms[i - 1].word) not in _NO_BREAKS)
            or (
                term.word in ("and", "or")
                and (following in _PRONOUNS or following in _AUXILIARIES or _new_verb(terms, i))
            )
        ):
            clause += 1
        numbers.append(clause)
    return numbers


def _new_verb(terms: Sequence[Term], i: int) -> bool:
    """Whether an "and" opens a clause of its own: "and give", "and start", "and then"."""
    following = terms[i + 1].word if i + 1 < len(terms) else ""
    return following in {
        "give", "start", "stop", "continue", "carry", "then", "not", "just", "also", "avoid", "keep", "check", "put",
        "get", "go",
    }  # fmt: skip


def _spans(clauses: Sequence[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for i, clause in enumerate(clauses):
        if spans and clauses[spans[-1][0]] == clause:
            spans[-1] = (spans[-1][0], i + 1)
        else:
            spans.append((i, i + 1))
    return spans


def _read_clause(terms: Sequence[Term], stances: list[Stance], first: int, last: int) -> None:
    words = [term.word for term in terms[first:last]]
    denied_from: int | None = None
    i = 0
    while i < len(words):
        word = words[i]
        rest = words[i + 1 : i + 3]
        at = first + i
        if stances[at] == "operator":
            i += 1
            continue
        if _unknown_at(words, i):
            for k in range(at, last):
                if stances[k] != "retracted" and not terms[k].is_small:
                    stances[k] = "unknown"
            return
        if _is_plain(words, i):
            i += 1
            continue
        if word in _NEGATIONS or word in _NOMINAL_NEGATIONS or word in _REFUSALS or _denying_phrase(words, i):
            length = _denying_phrase(words, i) or 1
            if word == "not" and rest and rest[0] in _NEUTRAL and not (i and words[i - 1] in ("can", "could")):
                i += 2
                continue
            if word == "no" and rest and rest[0] in ("doubt", "question", "problem", "wait", "sorry", "actually"):
                i += 2
                continue
            for k in range(at, min(at + length, last)):
                stances[k] = "operator"
            undone = next((n for n, w in enumerate(rest) if w in _UNDONE or w in _REFUSALS), None)
            if word in _NEGATIONS | _NOMINAL_NEGATIONS and length == 1 and undone is not None:
                if denied_from is None:
                    for k in range(at, at + undone + 2):
                        if terms[k].word in _REFUSALS or terms[k].word in _UNDONE:
                            stances[k] = "operator"
                    i += undone + 2
                    continue
            if denied_from is not None and word in _REFUSALS:
                # "I would not avoid it": two denials claim
                for k in range(denied_from, last):
                    if stances[k] == "denied":
                        stances[k] = "claimed"
                denied_from = None
                i += 1
                continue
            denied_from = at
            if _denies_subject(words, i):
                for k in range(first, at):
                    if stances[k] == "claimed" and not terms[k].is_small:
                        stances[k] = "denied"
            for k in range(at + length, last):
                if stances[k] in ("claimed", "considered"):
                    stances[k] = "denied"
            i += length
            continue
        makes_worse = word in ("worse", "worsen", "worsens") and any(w in _MAKES for w in words[: i + 1])
        if word in _VERDICTS and _describes(terms, first, last, at):
            i += 1
            continue
        if (word in _VERDICTS or makes_worse) and not _negated_before(words, i):
            for k in range(first, last):
                if stances[k] == "claimed" and not terms[k].is_small:
                    stances[k] = "denied"
            stances[at] = "operator"
        elif word in _VERDICTS:
            stances[at] = "operator"
        elif (
            word in _STRONG_HEDGES
            or (word == "rule" and "out" in rest)
            or word in ("exclude", "excluding")
            or (word == "differential" and _is_of_diagnoses(words, i))
        ):
            stances[at] = "operator"
            for k in range(at + 1, last):
                if stances[k] == "claimed":
                    stances[k] = "considered"
        i += 1


def _is_plain(words: Sequence[str], i: int) -> bool:
    """Whether a word that mostly denies is used in a sense that denies nothing."""
    word, after = words[i], words[i + 1 : i + 5]
    if word in ("hold", "holding", "held"):
        return after[:1] in (["on"], ["onto"]) or any(w in _GRIPS for w in after)
    if word in ("stop", "stopping"):
        after = after[1:] if after[:1] in (["it"], ["them"], ["this"]) and after[1:2] != [] else after
        return after[:1] != [] and (after[0] in _BARE_STOPS or "short" in after)
    if word in ("no", "not") and words[0] in _CONDITIONS:
        return after[:1] != [] and (after[0] in _STATES or (after[0] == "getting" and after[1:2] == ["better"]))
    return False


def _describes(terms: Sequence[Term], first: int, last: int, at: int) -> bool:
    """Whether a verdict only describes a noun or is weighed: "useless current", "the more dangerous one"."""
    if at > first and terms[at - 1].word in _DEGREES:
        return True
    following = terms[at + 1] if at + 1 < last else None
    return following is not None and not following.is_small and following.word not in ("here", "now", "not")


def _is_of_diagnoses(words: Sequence[str], i: int) -> bool:
    """Whether a "differential" is the physician's list, not the gear, the pressure or the relay of that name."""
    after = words[i + 1 : i + 2]
    return after in (["diagnosis"], ["diagnoses"], ["includes"], ["include"]) or words[max(0, i - 1) : i] == ["my"]


def _unknown_at(words: Sequence[str], i: int) -> bool:
    """Whether the speaker says here that they do not know: "I don't know", "can't remember", "no idea", "not sure"."""
    two = tuple(words[i : i + 2])
    three = tuple(words[i : i + 3])
    return (
        two
        in (("not", "know"), ("not", "remember"), ("not", "recall"), ("not", "sure"), ("no", "idea"), ("no", "clue"))
        or two in (("not", "certain"), ("forgotten", "the"), ("unsure", "about"), ("unsure", "whether"))
        or (words[i] == "not" and "know" in three)
        or (words[i] == "not" and "remember" in words[i : i + 4])
        or (words[i] == "not" and "sure" in three)
    )


def _denying_phrase(words: Sequence[str], i: int) -> int:
    """Length of a denying phrase of several words at `i`, else 0."""
    for phrase in (
        ("no", "need", "for"), ("no", "need", "to"), ("no", "need"), ("no", "role", "for"), ("no", "place", "for"),
        ("no", "longer"), ("rather", "than"), ("instead", "of"), ("not", "need"), ("no", "point", "in"), ("no", "use"),
        ("less", "likely"), ("as", "opposed", "to"), ("no", "way"), ("ruled", "out"), ("too", "early", "for"),
        ("not", "think"), ("not", "believe"), ("no", "reason", "for"), ("no", "reason", "to"), ("stay", "away", "from"),
    ):  # fmt: skip
        if tuple(words[i : i + len(phrase)]) == phrase:
            return len(phrase)
    return 0


def _negated_before(words: Sequence[str], i: int) -> bool:
    return any(word in _NEGATIONS or word == "no" for word in words[max(0, i - 3) : i])


def _denies_subject(words: Sequence[str], i: int) -> bool:
    """Whether the denial at `i` is said of what stands before it: "aspirin is not enough"."""
    before = words[:i]
    if not before or before[-1] not in _AUXILIARIES:
        return False
    return not any(word in _PRONOUNS for word in before)


def _lists_inherit(terms: Sequence[Term], stances: list[Stance], spans: Sequence[tuple[int, int]]) -> None:
    """`I would not give nitrates, diuretics or morphine`: short verbless items go on with the stance before them."""
    for (first, last), (next_first, next_last) in zip(spans, spans[1:], strict=False):
        before = stances[last - 1]
        if terms[next_first].sentence != terms[first].sentence or before not in ("denied", "considered"):
            continue
        words = [term.word for term in terms[next_first:next_last]]
        n_content = sum(not terms[k].is_small for k in range(next_first, next_last))
        opens_list = words[0] in ("and", "or", "nor") or terms[next_first].after_pause
        has_verb = any(w in _PRONOUNS or w in _AUXILIARIES or w in _BREAKS or w in _VERB_STARTS for w in words)
        if opens_list and not has_verb and 0 < n_content <= _MAX_LIST_ITEM:
            for k in range(next_first, next_last):
                if stances[k] == "claimed":
                    stances[k] = before


_VERB_STARTS = frozenset(
    "just give start shock straight rather i'd go get restart continue carry put call instead only it's".split()
)


_SAYING = frozenset("think believe say claim argue suppose assume accept agree".split())


def _whole_denials(terms: Sequence[Term], stances: list[Stance], clauses: Sequence[int]) -> None:
    """`It is not true that ...` denies the whole sentence."""
    words = [term.word for term in terms]
    for i in range(len(words)):
        four = words[i : i + 4]
        denies = (
            (
                four[:2] in (["not", "true"], ["not", "correct"], ["not", "right"], ["not", "case"])
                and "that" in words[i : i + 5]
            )
            or (four[:3] == ["not", "the", "case"])
            or (
                words[i] in ("false", "untrue", "incorrect", "wrong", "nonsense", "myth")
                and "that" in words[i + 1 : i + 4]
            )
            or (words[i] in ("disagree", "deny", "doubt", "reject") and "that" in words[i + 1 : i + 3])
            or four[:3] in (["none", "of", "this"], ["none", "of", "the"], ["none", "of", "these"])
            or (four[:2] in (["wrong", "to"], ["mistake", "to"], ["error", "to"]))
            or (words[i] == "opposite" and "of" in four)
        )
        if words[i] in ("not", "never", "nobody", "none", "no"):
            # "nobody should believe that ...", "you should never think that ..."
            saying = next((k for k in range(i + 1, min(i + 5, len(words))) if words[k] in _SAYING), None)
            denies = denies or (saying is not None and "that" in words[saying + 1 : saying + 3])
        if not denies:
            continue
        for k in range(i, len(terms)):
            if terms[k].sentence != terms[i].sentence:
                break
            own_clause = clauses[k] == clauses[i]
            if stances[k] == "denied" and not own_clause:
                # a denial that is turned down is no denial
                stances[k] = "unknown"
            elif stances[k] in ("claimed", "considered", "denied") and not terms[k].is_small:
                stances[k] = "disowned"


def _whole_sentences(terms: Sequence[Term], stances: list[Stance]) -> None:
    """What is taken back, turned down or left open by the sentence, or by another one."""
    effects = sentence_effects(terms)
    for k, term in enumerate(terms):
        effect = effects.get(k)
        if effect is None or term.is_small or stances[k] in ("operator", "retracted", "unknown"):
            continue
        if effect == "disowned" and stances[k] == "denied":
            # a denial that is turned down is no denial
            stances[k] = "unknown"
        elif effect != "considered" or stances[k] == "claimed":
            stances[k] = effect


_CORRECTIONS: tuple[tuple[str, ...], ...] = (
    ("no", "i", "mean"), ("sorry", "i", "mean"), ("no", "sorry"), ("sorry", "no"), ("no", "wait"), ("wait", "no"),
    ("actually", "no"), ("no", "actually"), ("scratch", "that"), ("let", "me", "correct"), ("i", "mean"),
    ("correction",),
    ("no", "no"), ("i", "meant"), ("i", "take", "that", "back"), ("sorry", "not"), ("or", "rather"), ("make", "that"),
)  # fmt: skip


_CORRECTION_STARTS = frozenset(correction[0] for correction in _CORRECTIONS)


def _correction_at(terms: Sequence[Term], words: Sequence[str], i: int) -> int:
    """Length of the correction marker at `i`, else 0."""
    if i >= len(words) or words[i] not in _CORRECTION_STARTS:
        return 0
    length = next((len(c) for c in _CORRECTIONS if tuple(words[i : i + len(c)]) == c), 0)
    if words[i] in ("correction", "make"):
        # an aside, with a pause before it: not "power factor correction", not "to make that safe"
        opens = i == 0 or terms[i].after_pause or terms[i].sentence != terms[i - 1].sentence
        aside = opens and not (words[i] == "correction" and words[i + 1 : i + 2] in (["of"], ["is"], ["for"], ["by"]))
        return length if aside else 0
    if words[i : i + 3] == ["let", "me", "correct"] and words[i + 3 : i + 4] not in (["that"], ["myself"], ["this"]):
        return 0
    return length


def _corrections(terms: Sequence[Term], stances: list[Stance]) -> None:
    """A repair takes back about as many words as it puts in their place (Levelt 1983, Cognition 14:41)."""
    words = [term.word for term in terms]
    i = 0
    while i < len(words):
        length = _correction_at(terms, words, i)
        if not length:
            i += 1
            continue
        # several markers may follow each other: "no, sorry, I mean"
        end = i + length
        while more := _correction_at(terms, words, end):
            end += more
        n_repair = 0
        for k in range(end, len(terms)):
            if terms[k].sentence != terms[end].sentence or (terms[k].after_pause and k > end and n_repair):
                break
            n_repair += not terms[k].is_small
        for k in range(i, min(end, len(terms))):
            stances[k] = "operator"
        n_back = n_repair if words[i : i + 2] != ["scratch", "that"] else max(n_repair, 4)
        for k in range(i - 1, -1, -1):
            if n_back <= 0 or terms[i].sentence - terms[k].sentence > 1:
                break
            if terms[k].is_small:
                continue
            stances[k] = "retracted"
            n_back -= 1
            if k and terms[k].after_pause and n_back < max(1, n_repair // 2):
                break
        i = end
