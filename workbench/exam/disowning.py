"""Sentences that take back, turn down or leave open what they or other sentences say.

`assertion` reads a clause at a time; here is what reaches further: "forget all of that", "each of the following is
false", "that is an old wives' tale", "people who say so are mistaken", "is it ...? I cannot tell". Found by set phrases
over whole sentences, so that "the buyer may reject the goods" or "she refuses blood" turn nothing down; a "but" ends
their reach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from workbench.exam.spoken_terms import Term

Effect = Literal["retracted", "disowned", "unknown", "considered"]
"""What becomes of the claims of a sentence, or of the part of it up to a "but"."""

_TURNS = frozenset("but however although though whereas instead".split())

_ALL = (
    r"(?:(?:all|any|none|nothing|each|every (?:single )?(?:word|bit|part|line|sentence)) (?:of |in |about )?"
    r"(?:that|this|it|the above|these|those|what|the following|the next)\b"
    r"|everything(?: that)? i (?:\w+ ){0,2}(?:said|told|say|mentioned)|everything (?:so far|above)"
    r"|(?:all|what) i (?:\w+ ){0,2}(?:said|told|mentioned)|all that\b|my (?:\w+ )?answer|that answer|this answer"
    r"|the (?:whole|entire) (?:answer|thing)|the above)"
)
"""Ways to speak of all that was said, or will be."""

_UNTRUE = (
    r"(?:wrong|false|untrue|mistaken|incorrect|nonsense|rubbish|invented|made up|misconceptions?|mistakes?|errors?"
    r"|myths?|fiction|disagree|reject|the opposite|not true|not right|not correct|not mine)"
)
_WITHDRAWS = re.compile(
    r"\b(?:withdraw|retract|scratch|strike|cancel|forget|ignore|disregard|delete|erase|discard|unsay)\b.{0,30}?\b"
    + _ALL
    + rf"|\b(?:take|taking|took) (?:\w+ )?{_ALL} back\b|\b{_ALL}\b.{{0,20}}?\btake (?:\w+ )?back\b"
    + rf"|\b{_ALL}\b.{{0,60}}?\b(?:withdraw|retract|delete|erase|no longer|not (?:mean|stand|count|what i)"
    + r"|is what i (?:think|mean|believe)|never say|made up)\b"
    + rf"|\b(?:made|making) {_ALL} up\b|\bnot (?:mean|stand by) (?:\w+ )?{_ALL}|\bno longer stand by\b"
    + r"|\b(?:do|say|mean|want|recommend)(?: \w+){0,2} none of (?:that|this|it)\b"
    + rf"|\b{_ALL}\b.{{0,30}}?\b(?:is|was|are|were)\b.{{0,20}}?\b{_UNTRUE}\b"
    + r"|\bthat (?:is|was) (?:all )?(?:nonsense|rubbish|wrong) (?:from|all of it|altogether)\b"
    + r"|\bonly said (?:that|this|it|all that) to\b|\bwas for another (?:case|question|patient)\b"
    + rf"|\bdisagree with {_ALL}"
    + r"|\b(?:is|was) not my (?:own )?(?:answer|view|opinion)\b"
    + r"|\bchanged my mind about (?:all|every|each|that|it|them)\b"
    + r"|\b(?:only|just) (?:joking|kidding|guessing wildly)\b|\bthe wrong way (?:a?round|about)\b|\bback to front\b"
    + r"|\b(?:pretend|imagine) (?:that )?(?:you|i) (?:did not|never)\b|\bi pass on (?:this|that)\b"
    + r"|\bwish i had (?:not|never) said\b|\b(?:believe|think|mean) the (?:contrary|reverse)\b"
    + r"|\bnone of (?:these|those|this|that)\b$"
)
"""Takes back all that was said; in a first sentence, all that follows."""

_ANNOUNCES = re.compile(
    rf"\b(?:following|what follows|next (?:few )?(?:sentences?|statements?|words))\b.*\b{_UNTRUE}\b"
    r"|\b(?:list|read out|tell you|name) (?:\w+ ){0,4}(?:misconceptions|mistakes|errors|myths|wrong answers)\b"
    r"|\bthese are (?:the |some |common |typical )*(?:misconceptions|mistakes|errors|myths|wrong answers)\b"
    r"|\blist (?:what|things|the things) (?:\w+ )?i would (?:not|never)\b"
    r"|\bnothing in (?:the )?(?:next|following)\b"
    r"|\bhow (?:you|one|1|we) (?:should|must) (?:not|never) (?:answer|do)\b"
    r"|\bfailed\b.*\bfor saying (?:this|that|so)\b|\bopposite of what i (?:believe|think|mean)\b"
    r"|\bnot take (?:\w+ ){1,5}(?:for|as) my (?:opinion|answer|view)\b"
    r"|\b(?:here comes|now comes) .*\b(?:rubbish|nonsense)\b"
)
"""Says that what comes is not the speaker's answer."""

_ORDERS = re.compile(r"(?:forget|scratch|cancel|ignore|strike|delete|erase|disregard|take|withdraw|retract)\b")
"""A withdrawal that speaks of what was just said, never of what comes."""

_OWN_WORD = re.compile(r"\b(?:but|instead|in fact|actually|the truth is|my answer is|what i would (?:do|say) is)\b")
"""Where a speaker goes over to what they mean themselves."""

_SAYING = r"(?:think|suppose|say|believe|assume|claim|imagine|hold|teach|pretend|conclude)"
_DISOWNS = re.compile(
    r"\b(?:mistake|error|wrong|absurd|nonsense|fallacy|mistaken|foolish|silly|ridiculous|false|untrue|naive|crazy"
    rf"|incorrect|madness|outdated|unreasonable) to {_SAYING}\b"
    r"|\b(?:claim|idea|notion|view|belief|theory|suggestion|assertion|opinion)s? that\b.*"
    r"\b(?:disproved|disproven|refuted|debunked|wrong|false|mistaken|untenable|unfounded|absurd|nonsense|outdated|abandoned)\b"
    r"|"
    r"\bi (?:\w+ )?(?:oppose|reject|dispute|deny|contest|disagree|refuse to (?:accept|believe|say|think|agree)) (?:the"
    r" (?:idea|claim|notion|view)|that)\b"
    r"|\bi have never (?:accepted|believed|thought|agreed)\b"
    rf"|\bi (?:can|could|do|would|will) (?:not|never) (?:agree|accept|{_SAYING}) (?:with|that)\b"
    r"|\bonly (?:a |an )?(?:fools?|idiots?|beginners?|amateurs?|madm[ae]n|laym[ae]n|quacks?) would\b"
    rf"|\b(?:people|those|anyone|anybody|students|colleagues|books|whoever)(?: who| that)? (?:{_SAYING}s?|taught)\b.*"
    r"\b(?:not understood|wrong|mistaken|confused)\b"
    r"|^(?:well |so |um )*anything but\b|\bfar from (?:true|correct|right)\b|\bis out of the question\b"
    r"|\blast thing (?:that )?i would\b|\bnot the (?:slightest|least|faintest) (?:evidence|reason|proof|sign that)\b"
    r"|\bold wives\b|\b(?:pure|sheer|complete|utter) (?:fiction|fantasy|invention|nonsense|rubbish)\b"
    r"|\b(?:is|are|was) (?:just |simply )?(?:a |an )?(?:myth|fairy tale|hoax|superstition|fallacy|misconception)\b"
    rf"|\bi (?:\w+ )?{_SAYING} the (?:very |exact )?opposite\b|\bargue the (?:very |exact )?opposite\b"
    r"|\bnot (?:buy|share|follow|support) the (?:argument|idea|view|notion|claim) (?:that|of)\b"
    r"|\bnot convinced (?:that|of)\b"
    r"|\b(?:shown|proved|proven|showed|found|demonstrated) the (?:reverse|opposite|contrary)\b"
    r"|\bused to be (?:taught|thought|believed|said|assumed|held) that\b"
    r"|\b(?:do|should|must) not (?:listen|believe them|believe it)\b"
    r"|\bi am (?:firmly |strongly |totally )?(?:against|opposed to)\b"
    r"|\bwould be (?:malpractice|negligent|reckless|indefensible)\b"
    r"|\bno truth in\b|\bwhich is (?:rubbish|nonsense|wrong|untrue|a myth)\b"
    r"|\bsaying\b.*\bwould be (?:\w+ )?(?:wrong|false|untrue)\b"
    r"|\b(?:exactly|just|precisely) what (?:one|1|you|i|we) (?:must|should|would|can|could) (?:not|never)\b"
)
"""Turns down what it is said with."""

_NO = re.compile(
    r"^(?:no )?(?:certainly|definitely|absolutely|of course|surely|obviously) not$|^not at all$|^no$|^never$"
)
"""A sentence that turns down the question before it."""

_OPEN = re.compile(
    r"\bwhat you want to hear\b|\bwant me to say\b|\bsupposed to say\b|\bask (?:somebody|someone|anybody) else\b"
    r"|\b(?:can|could) tell me (?:if|whether)\b|\b(?:can|could) not (?:say|tell) (?:one way|whether|if)\b"
    r"|\bno (?:view|opinion) (?:on|about)\b|\bwhether\b.*\b(?:never understood|beyond me|escapes me)\b"
    r"|\bnever understood (?:if|whether|why)\b|\b(?:is|are) beyond me\b|\bescapes me (?:if|whether)\b"
    r"|\bnot get (?:to|round to) the (?:chapter|lecture|part|section)\b"
    r"|\b(?:i|we) (?:\w+ )?never (?:learnt|learned|read|studied|heard)\b"
    r"|\bdo i (?:need|have) to (?:say|mention|name)\b|\bshould i (?:say|mention|name)\b"
    r"|\bwhat do you (?:think|say) (?:about|of|to)\b"
    r"|\bor not i (?:\w+ )?(?:can|could|do) not (?:remember|recall|know|tell|say)\b"
    r"|\bor was it (?:something|someone|the other)\b"
    r"|\bmeans nothing to me\b|\blook up (?:if|whether)\b|\bnot know (?:if|whether)\b|\bone way or the other\b"
)
"""Says that the speaker does not know, or asks what they should say."""

_REACHES_BACK = re.compile(r"\b(?:but|though|although|however) (?:it|that|this) means nothing to me\b")
"""Speaks of what stands before the "but"."""

_SHRUGS = re.compile(
    r"\b(?:can|could) not (?:tell|say)\b|\bno (?:idea|clue|answer|view)\b|\bnot (?:know|sure|remember)\b|\btell me\b"
)
"""After a question: it was no answer."""

_ASKS = re.compile(
    r"^(?:well |so |um |uh |honestly |okay |and |or )*"
    r"(?:(?:is|are|am|does|did|would|could|should|can|was|were|will) (?:it|you|i|we|he|she|they|that|this|there)"
    r"|do (?:you|i|we|they))\b"
)
"""A question, by its order of words: a recogniser's question marks are not to be trusted."""


def sentence_effects(terms: Sequence[Term]) -> dict[int, Effect]:
    """What becomes of claims by sentences that take back, turn down or leave open.

    Args:
        terms: All terms of one text, small words included.

    Returns:
        Index of each term concerned to what becomes of it.
    """
    effects: dict[int, Effect] = {}
    earlier: list[list[int]] = []
    announced = False
    for sentence in _sentences(terms):
        text = _text(terms, sentence)
        if announced and not _OWN_WORD.search(text):
            effects.update(dict.fromkeys(sentence, "disowned"))
            continue
        announced = False
        withdrawal = _WITHDRAWS.search(text)
        before = sentence[: text[: withdrawal.start()].count(" ")] if withdrawal else []
        takes_back = any(not terms[k].is_small for k in before) and _ORDERS.match(text[withdrawal.start() :])  # type: ignore[union-attr]
        if _ANNOUNCES.search(text) or (withdrawal and not earlier and not takes_back):
            announced = True
            effects.update(dict.fromkeys(sentence, "disowned"))
            continue
        if withdrawal:
            effects.update({k: "retracted" for one in (*earlier, before) for k in one})
        elif _NO.match(text) and earlier:
            effects.update(dict.fromkeys(earlier[-1], "disowned"))
        elif earlier and _ASKS.match(_text(terms, earlier[-1])) and _SHRUGS.search(text):
            effects.update(dict.fromkeys(earlier[-1], "unknown"))
        for part in [sentence] if _REACHES_BACK.search(text) else _parts(terms, sentence):
            said = _text(terms, part)
            if _DISOWNS.search(said):
                effects.update(dict.fromkeys(part, "disowned"))
            elif _OPEN.search(said):
                effects.update(dict.fromkeys(part, "unknown"))
            elif _ASKS.match(said):
                effects.update(dict.fromkeys(part, "considered"))
        if any(not terms[k].is_small for k in sentence):
            earlier.append(sentence)
    return effects


def _sentences(terms: Sequence[Term]) -> list[list[int]]:
    found: list[list[int]] = []
    for k, term in enumerate(terms):
        if found and terms[found[-1][0]].sentence == term.sentence:
            found[-1].append(k)
        else:
            found.append([k])
    return found


def _parts(terms: Sequence[Term], sentence: Sequence[int]) -> list[list[int]]:
    """A sentence cut where the speaker turns round."""
    parts: list[list[int]] = [[]]
    for k in sentence:
        if terms[k].word in _TURNS and parts[-1] and terms[k - 1].word != "anything":
            parts.append([])
        parts[-1].append(k)
    return parts


def _text(terms: Sequence[Term], chosen: Sequence[int]) -> str:
    return " ".join(terms[k].word for k in chosen)
