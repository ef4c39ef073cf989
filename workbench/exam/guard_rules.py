"""The rules a line of the language model must keep: what it must not hold, and what its end must hold."""

from __future__ import annotations

import json
import re
from typing import Literal

from rapidfuzz import fuzz

from workbench.exam.leaks import leaks, stem, stems
from workbench.exam.model import Wording

Reason = Literal[
    "empty", "too_long", "unfinished", "markup", "imitation", "score", "verdict", "leak", "question", "no_question",
    "repetition", "claims", "foreign", "meaning",
]  # fmt: skip
"""Why a text is refused: the first rule it breaks."""

_MARKUP = re.compile(
    r"<[^>]*>|<\||\|>|[\[\]{}#*_~`\\|]|https?:|www\.|^\s*[-•]\s|\bjson\b", re.IGNORECASE | re.MULTILINE
)
_SPEAKERS = re.compile(
    r"\b(?:candidate|examiner|student|user|assistant|system|human|question|answer|stem|rephrased|rephrase|remark|right"
    r"|follow.?up|probe|note|example)\s*(?:\d+\s*)?:",
    re.IGNORECASE,
)
_PROMPT_TALK = re.compile(
    r"\b(?:the candidate|candidate's|system prompt|my instructions|instructions? (?:say|tell|are)|one short sentence"
    r"|rephrased? (?:question|version)|in other words,? the question"
    r"|here(?:'s| is) (?:a|the|my|your) (?:question|rephras\w*|reply|response|sentence|answer))\b",
    re.IGNORECASE,
)
_CLAIMS = re.compile(
    r"\b(?:as an? (?:ai|artificial|language|digital|virtual|chat)"
    r"|i(?:'m| am) (?:just |only )?an? (?:ai|artificial|language model|digital|virtual|chat ?bot|human|doctor|physician"
    r"|person|nurse|student)|i(?:'m| am) (?:an? |the )?(?:real|human)|not a (?:robot|computer|machine|bot|program)"
    r"|language model|smollm|hugging ?face|openai|chatgpt|llama|trained (?:by|on)|my training data"
    r"|i was (?:trained|created|born)|my (?:wife|husband|patients|childhood)"
    r"|(?:have|has) the ability|able to (?:provide|access|assist)|personal data)\b",
    re.IGNORECASE,
)
_NUMBER = (
    r"(?:\d+(?:\.\d+)?|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred|half|full"
    r"|all|no)"
)
_SCORE = re.compile(
    rf"\b(?:{_NUMBER}(?: (?:out )?of {_NUMBER}| ?/ ?\d+)|{_NUMBER} (?:more |full |extra )?(?:points?|marks?|credits?)"
    r"|\d+ ?%|per ?cent|percentage|scores?|scored|scoring|grades?|graded|full marks|your (?:marks?|points|result)"
    r"|(?:pass(?:ed)?|fail(?:ed)?) (?:the|this) (?:exam|viva|test))\b",
    re.IGNORECASE,
)
_PRAISE = re.compile(
    r"\b(?:correct(?:ly)?|incorrect(?:ly)?|wrong(?:ly)?|right answer|rightly|well done|excellent|perfect|spot on"
    r"|(?:is|are|was|that's|you're|quite|absolutely) right|(?:great|good) (?:job|answer|work)|exactly|not quite"
    r"|mistaken|inaccurate|impressive|glad you|doing (?:well|great|fine|badly))\b",
    re.IGNORECASE,
)
_BLAME = re.compile(
    r"\b(?:incorrect(?:ly)?|wrong(?:ly)?|mistaken|failed|missed|forgot|did not|didn't|not quite)\b", re.IGNORECASE
)
_LEADS_BACK = re.compile(
    r"\b(?:go on|goes on|carry on|continue|the case|the question|your (?:own )?(?:idea|ideas|thoughts?|view|turn)"
    r"|you think|you would|come back|back to|take your time|take a (?:breath|moment)|go ahead|your mind"
    r"|your answer|listening|tell me|when(?:ever)? you (?:like|are ready))\b",
    re.IGNORECASE,
)
"""What a reply to something off the script must hold: the way back."""

_GIVES_AWAY = re.compile(
    r"\b(?:(?:the|his|her|their|a) (?:correct |right )?(?:answer|hint|diagnosis|blood pressure|\w+ rate)"
    r" (?:is|was|would be)|(?:he|she|the patient|they) (?:is|was|has|had|does|takes|took|smokes)|ask me anything"
    r"|(?<!not )give you (?:a|the|some|ten|full)|i(?:'ll| will| can) (?:tell|give|help|answer)"
    r"|i (?:think|believe) (?:you|it|that|he|she)|help you|assist)\b|\d",
    re.IGNORECASE,
)
"""What such a reply must not hold: facts the case does not have, and help."""

_NEGATION = re.compile(r"\b(?:not|no|never|without|except|avoid|contraindicat\w*|unsafe|least)\b|n't\b", re.IGNORECASE)
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"')’”]*(?=\s|$)|$)", re.DOTALL)
ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|e\.g|i\.e|vs|approx|St)\.$")
_QUESTION_START = re.compile(
    r"^(?:and |so |but |now |then )?(?:what|which|who|whom|why|how|when|where|can you|could you|would you|do you"
    r"|did you|are you|is there)\b",
    re.IGNORECASE,
)

KEPT_SHARE = 0.75
"""Least share of a question's content words that its rephrasing must keep."""

SAME_RATIO = 92.0
"""Similarity (rapidfuzz ratio, 0 to 100) above which a rephrasing is no rephrasing."""

_ACK_STEMS = frozenset(
    stems(
        "you said mentioned noted named included covered described explained started began recognised identified"
        " pointed out good clearly point points important part yes thank thanks well also both suggested knew"
        " remembered chose recommended stated brought considered understood key first asked wanted"
        " thought gave examined rightly correctly right"
    )
)
_EXAM_STEMS = frozenset(
    stems(
        "explain describe tell interpret list outline discuss name say know think see find found finding look expect"
        " suggest reason reasons happen happens way ways kind type mean means please words simple simply main two three"
    )
)
"""Words of asking and telling, which a rephrasing may change."""


def sentences(text: str) -> list[str]:
    """Sentences of a text, the last one possibly unfinished; abbreviations do not end one."""
    found: list[str] = []
    for match in _SENTENCE.finditer(text.strip()):
        piece = match.group().strip()
        if not piece:
            continue
        if found and ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found


def is_finished(sentence: str) -> bool:
    """Whether a sentence ends with its full stop."""
    return sentence.rstrip("\"')’” ").endswith((".", "!", "?", "…")) and not ABBREVIATION.search(sentence)


def _is_question(sentence: str) -> bool:
    return "?" in sentence or _QUESTION_START.match(sentence) is not None


def tidy(text: str) -> str:
    text = text.replace("’", "'").replace("“", '"').replace("”", '"')
    text = " ".join(text.split()).strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return text


def fault_of(text: str, wording: Wording) -> Reason | None:
    """The first rule the whole of `text` breaks; rules about its end are left to `end_fault_of`."""
    purpose = wording.purpose
    if _MARKUP.search(text) or not text.isprintable() or any(ord(c) > 0x2FFF for c in text):
        return "markup"
    if _SPEAKERS.search(text) or (purpose != "talk" and _PROMPT_TALK.search(text)):
        return "imitation"
    if _CLAIMS.search(text):
        return "claims"
    if purpose != "talk":
        known = " ".join(wording.facts.values()).lower()
        if any(match.group().lower() not in known for match in _SCORE.finditer(text)):
            return "score"
        if purpose in ("off_script", "probe", "rephrase") and any(
            match.group().lower() not in known for match in _PRAISE.finditer(text)
        ):
            return "verdict"
        if purpose == "acknowledge" and _BLAME.search(text):
            return "verdict"
    if purpose == "off_script" and _GIVES_AWAY.search(text):
        return "foreign"
    if any(leaks(text, phrase) for phrase in wording.forbidden):
        return "leak"
    if _repeats(text, wording):
        return "repetition"
    n_questions = sum(_is_question(sentence) for sentence in sentences(text))
    if n_questions > (1 if wording.may_ask else 0):
        return "question"
    return None


def _repeats(text: str, wording: Wording) -> bool:
    words = re.findall(r"[\w']+", text.lower())
    if any(words[i] == words[i + 1] == words[i + 2] for i in range(len(words) - 2)):
        return True
    runs = [tuple(words[i : i + 5]) for i in range(len(words) - 4)]
    if len(set(runs)) < len(runs):
        return True
    said = [_key(sentence) for sentence in sentences(text)]
    if len(set(said)) < len(said):
        return True
    return wording.purpose == "talk" and bool(set(said) & _said_before(wording.facts.get("history", "[]")))


def _key(sentence: str) -> str:
    return " ".join(re.findall(r"[\w']+", sentence.lower()))


def _said_before(history: str) -> set[str]:
    """Longer sentences of earlier turns: a small model likes to say them again, its own and the candidate's."""
    try:
        turns = json.loads(history)
    except ValueError:
        return set()
    keys = (_key(sentence) for _, text in turns for sentence in sentences(text))
    return {key for key in keys if len(key.split()) > 3}


def end_fault_of(text: str, wording: Wording) -> Reason | None:
    """Rules that hold for a finished line only."""
    purpose, facts = wording.purpose, wording.facts
    if purpose == "acknowledge":
        right = facts.get("right", "")
        if bool(_NEGATION.search(right)) != bool(_NEGATION.search(text)):
            return "meaning"
        if set(stems(text)) - _ACK_STEMS - set(stems(right)):
            return "foreign"
        if not _whole_points(text, facts.get("points", right).splitlines()):
            return "meaning"
    if purpose == "off_script" and not _LEADS_BACK.search(text):
        return "meaning"
    if purpose in ("probe", "rephrase") and "?" not in (sentences(text) or [""])[-1]:
        return "no_question"
    if purpose == "probe" and not _holds_in_order(text, facts.get("probe", "")):
        return "meaning"
    if purpose == "rephrase":
        return _rephrasing_fault(text, facts.get("stem", ""))
    return None


def _whole_points(text: str, points: list[str]) -> bool:
    """Whether a text names at least one of the points, and none by half."""
    said = set(stems(re.sub(r"\b(?:right|correct)ly\b", " ", text)))
    shares = [len(said & set(stems(point))) / len(set(stems(point))) for point in points if stems(point)]
    return 1.0 in shares and all(share in (0.0, 1.0) for share in shares)


def _holds_in_order(text: str, asked: str) -> bool:
    """Whether every word of a question stands in a text, inflected perhaps, in its order."""
    words = iter([stem(word.replace("whom", "who")) for word in re.findall(r"[a-z0-9]+", text.lower())])
    wanted = [stem(word.replace("whom", "who")) for word in re.findall(r"[a-z0-9]+", asked.lower())]
    return all(word in words for word in wanted)


def _rephrasing_fault(text: str, asked: str) -> Reason | None:
    """Whether a question in other words asks something else, or the very same words again."""
    if fuzz.ratio(_key(asked), _key(text)) > SAME_RATIO:
        return "repetition"
    # a negation may change its word ("avoid", "must not"), it may not go
    subject, now = (set(stems(_NEGATION.sub(" ", side))) - _EXAM_STEMS for side in (asked, text))
    if len(subject & now) < KEPT_SHARE * len(subject) or len(now - subject) > max(2, len(subject)):
        return "meaning"
    return None if bool(_NEGATION.search(asked)) == bool(_NEGATION.search(text)) else "meaning"
