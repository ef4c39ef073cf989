"""What the candidate said in the opening: a name, a yes or no, an area. Recognised speech is noisy; so are these."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jellyfish
from rapidfuzz import fuzz

_FILLERS = frozenset("um uh er erm eh ah oh hmm mm mhm uhm well so like okay ok right yeah hi hello hey".split())
_NAME_LEAD = re.compile(
    r"\b(?:(?:my|the) (?:full |first )?name(?: is|s|'s| would be)|i am called|i'm called"
    r"|(?:you can |please |just )*call me|they call me|i go by|name is|this is|it is|it's|its"
    r"|i am|i'm|im|speaking is)\s+",
    re.IGNORECASE,
)
_NAME_ENDS = frozenset(
    """and from but i i'm im my nice pleased good the a an here speaking today ready thanks thank please you can
    for with is was not sorry sir ma'am madam at in on of to so okay ok what how by student doing fine""".split()
)
_NOT_NAMES = frozenset(
    """yes no yeah nope okay ok hello hi hey what who why how where repeat sorry thanks thank you ready start begin
    pardon nothing none again please question name moment wait stop skip pause resume continue sure fine not know
    can could would should do did have has are is the this that it we they your me again one second minute bye goodbye
    good morning afternoon evening there hear mean don't dont agree really very so bit little nervous tired happy
    just still called rather going trying studying medical nurse glad excited currently also all set supposed""".split()
)
_TITLES = frozenset("mr mrs ms miss dr doctor prof professor".split())


def parse_name(text: str) -> str | None:
    """A name out of "my name is ...", "call me ..." or the bare name; None when nothing looks like one.

    Args:
        text: One turn as it was recognised or typed.

    Returns:
        At most four words, each with a capital, at most 60 characters.
    """
    cleaned = re.sub(r"[^\w\s'’.,!?-]", " ", text).replace("’", "'")
    leads = list(_NAME_LEAD.finditer(cleaned))
    if leads:
        # the last lead wins: "hi, it's nice to meet you, my name is Ada", "I'm Robert but call me Bob"
        for lead in reversed(leads):
            name = _take_name(cleaned[lead.end() :])
            if name:
                return name
        return None
    words = [word for word in re.findall(r"[^\W\d_][\w'-]*\.?", cleaned) if word.lower() not in _FILLERS]
    while words and words[-1].lower().strip(".") in ("here", "speaking", "sir", "please"):
        words.pop()
    if not 1 <= len(words) <= 4 or any(word.lower().strip(".") in _NOT_NAMES for word in words):
        return None
    return _take_name(" ".join(words))


def _take_name(rest: str) -> str | None:
    words: list[str] = []
    # a full stop, comma or question mark ends the name, but not the dot of "Dr."
    head = re.split(r"(?<![DM]r)(?<!Mrs)(?<!Ms)(?<!Prof)[.,!?](?:\s|$)", rest.strip(), maxsplit=1)[0]
    for raw in head.split():
        word = raw.strip(".,!?'-")
        low = word.lower()
        if low in _FILLERS and not words:
            continue
        if not re.fullmatch(r"[^\W\d_][\w'-]*", word) or low in _NAME_ENDS or low in _NOT_NAMES or len(words) == 4:
            break
        words.append(word)
    while words and words[0].lower() in _TITLES and len(words) == 1:
        return None
    if not words:
        return None
    name = " ".join(_capital(word) for word in words)
    return name[:60].strip() or None


def _capital(word: str) -> str:
    if word.isupper() and len(word) > 3:
        word = word.lower()
    return "-".join(part[:1].upper() + part[1:] for part in word.split("-"))


_YES_PHRASES = re.compile(
    r"\b(?:no problem|no objections?|not a problem|no worries|(?:do not|don't|dont|wouldn't) mind|not at all|why not"
    r"|nothing against (?:it|that))\b"
)
_NO = re.compile(
    r"\b(?:no|nope|nah|never|not|don't|dont|won't|wont|cannot|can't|refuse|decline"
    r"|disagree|rather not|object|withdraw)\b"
)
_YES = re.compile(
    r"\b(?:yes|yess|yas|yeah|yea|yep|yup|ya|yah|ye|sure|okay|ok|k|fine|agree|agreed|i do|i am|i will|consent|accept"
    r"|absolutely|certainly|definitely|course|go ahead|please do|happy|ready|correct|right|affirmative|alright"
    r"|all right|let's go|sounds good|by all means|gladly)\b"
)
_TAKEN_BACK = re.compile(r"\b(?:i mean|sorry|wait|actually|rather|correction|make that)\b")


def parse_yes_no(text: str) -> bool | None:
    """True for consent, False for refusal, None where it is not clear; "no problem" and "I don't mind" are a yes.

    A turn that says both is not clear, unless it takes the first one back ("no, sorry, I mean yes").
    """
    low = re.sub(r"[^\w\s']", " ", text.replace("’", "'").lower())
    if _TAKEN_BACK.search(low):
        last_word = _plain_yes_no(_TAKEN_BACK.split(low)[-1])
        if last_word is not None:
            return last_word
    return _plain_yes_no(low)


def _plain_yes_no(low: str) -> bool | None:
    rest, n_yes_phrases = _YES_PHRASES.subn(" ", low)
    no = bool(_NO.search(rest))
    # "I do not agree" holds "agree": with a negation in the turn, only a plain yes at its start speaks for consent
    yes = n_yes_phrases > 0 or bool(_YES.search(rest))
    if no:
        starts_yes = re.match(r"\s*(?:um |uh |er |oh |well )*(?:yes|yeah|yep|yup|sure|okay|ok)\b", rest)
        return None if starts_yes or n_yes_phrases else False
    return True if yes else None


_ORDINALS = {
    "first": 0, "one": 0, "1": 0, "second": 1, "two": 1, "2": 1, "third": 2, "three": 2, "3": 2, "fourth": 3, "four": 3,
    "4": 3, "fifth": 4, "five": 4, "5": 4, "sixth": 5, "six": 5, "6": 5, "seventh": 6, "seven": 6, "7": 6, "eighth": 7,
    "eight": 7, "8": 7, "last": -1,
}  # fmt: skip
_ANY = re.compile(
    r"\b(?:any|anything|whichever|whatever|surprise me|you (?:choose|pick|decide)|random|don't mind|dont mind"
    r"|no preference|up to you|don't care|all of them)\b"
)
_NOISE_WORDS = frozenset(
    """i would like want to do take choose pick let's lets go with the a an please think maybe area of number
    option topic subject have we can be my um uh er well so okay ok yes yeah let me us start for it is i'd i'll
    try and""".split()
)
AREA_MATCH = 72.0
"""Least similarity (rapidfuzz ratio, 0 to 100) at which a spoken area counts as meant."""


def match_area(text: str, areas: Sequence[tuple[str, str]]) -> str | None:
    """Key of the area that was meant, `"any"` where the choice is left to us, None when nothing fits.

    Letters are compared first, then sounds (Metaphone), so that "cardio logy" and "card yology" both find cardiology.

    Args:
        text: One turn as it was recognised.
        areas: (key, title) of every area on offer.
    """
    low = re.sub(r"[^\w\s']", " ", text.replace("’", "'").lower().replace("_", " "))
    words = [word for word in low.split() if word not in _NOISE_WORDS]
    said = " ".join(words)
    best_key, best, second = None, 0.0, 0.0
    for key, title in areas:
        likeness = max(_likeness(said, name) for name in {title.lower(), key.lower().replace("_", " ")})
        if likeness > best:
            best_key, best, second = key, likeness, best
        else:
            second = max(second, likeness)
    if best_key is not None and best >= AREA_MATCH and best > second:
        return best_key
    if _ANY.search(low):
        return "any"
    places = [_ORDINALS[word] for word in re.findall(r"\w+", low) if word in _ORDINALS]
    places = [place for place in places if place < len(areas)]
    if len(places) > 1 and low.split()[-1] == "one":
        places.pop()  # "the second one"
    if places:
        return areas[places[-1]][0]
    return None


def _likeness(said: str, name: str) -> float:
    if not said:
        return 0.0
    letters = max(fuzz.ratio(said.replace(" ", ""), name.replace(" ", "")), fuzz.token_sort_ratio(said, name))
    if len(said) > len(name):
        letters = max(letters, fuzz.partial_ratio(name, said) - 4)
    elif len(said) >= 5:
        letters = max(letters, fuzz.partial_ratio(said, name) - 12)
    sound, meant = jellyfish.metaphone(said).replace(" ", ""), jellyfish.metaphone(name).replace(" ", "")
    sounds = fuzz.ratio(sound, meant) - 8 if min(len(sound), len(meant)) >= 3 else 0.0
    return float(max(letters, sounds))
