"""The examiner's fixed sentences, several variants of each, and the seeded choice between them.

They are spoken as they stand, and they are what is said when the language model's wording is refused.
"""

from __future__ import annotations

import random

PHRASES: dict[str, tuple[str, ...]] = {
    "ask_name": ("What is your name?", "May I have your name?"),
    "ask_name_again": ("I did not catch your name. What should I call you?",),
    "ask_consent": ("Do you agree to take part? Please say yes or no.",),
    "ask_consent_again": ("Sorry, I need a clear yes or no. Do you agree to take part?",),
    "no_consent": (
        "That is quite all right. Nothing is kept, and we stop here. Thank you for your time, and goodbye.",
    ),
    "area_again": ("I did not recognise that area.", "Sorry, that is not an area I have."),
    "thanks": ("Thank you.", "Thanks, I have that.", "Thank you, noted.", "All right, thank you."),
    "next_case": ("Here is the next case.", "Let us turn to another patient.", "Now a different case."),
    "last_case": ("Here is the last case.",),
    "first_case": ("Here is the first case.",),
    "to_probe": ("You have part of it.", "Let us stay with that for a moment.", "There is a little more to it."),
    "to_probe_exam": ("Thank you. A little more on that.", "Thank you. Let us stay with that."),
    "verdict_correct": ("Yes, that is right", "Correct", "Well answered", "Good, that is right"),
    "verdict_partial": ("Partly right", "You have part of it", "Some of that is right"),
    "verdict_incorrect": ("Not quite", "Not really", "That is not enough, I am afraid"),
    "dont_know": ("That is all right.", "No problem.", "That happens."),
    "skip": ("All right, we leave that one.", "Fine, we skip it."),
    "move_on": ("Let us move on.", "We move on."),
    "no_answer": ("I have not heard an answer, so we move on.",),
    "time_up": ("The time for this question is up.", "I have to stop you there, the time is up."),
    "marking_later": ("I will finish marking that in a moment. Let us go on.",),
    "not_caught": ("Sorry, I did not catch that.", "I did not hear that clearly.", "Sorry, I missed that."),
    "say_again": ("Please say it again.", "Could I have that once more, please."),
    "gentle": ("Take your time.", "Whenever you are ready.", "No hurry."),
    "offer": ("You can ask me to repeat or rephrase the question, or say skip to move on.",),
    "moment": ("Of course, take your time.", "Certainly, take a moment.", "Yes, think about it."),
    "paused": ("We pause here. Say resume when you want to go on.",),
    "still_paused": ("We are still paused. Say resume when you want to go on.",),
    "absent": ("I will wait here. Say resume when you want to go on.",),
    "resumed": ("Let us go on.", "Good, we continue."),
    "back": (
        "I am sorry, we cannot go back to an earlier question.",
        "We only go forward, I am afraid; earlier answers stand.",
    ),
    "confirm_stop": ("Do you want to end the viva here? Please say yes or no.",),
    "not_stopped": ("All right, we go on.",),
    "returned": ("Welcome back.",),
    "repeat": ("I repeat.", "Once more.", "Certainly."),
    "to_rephrase": ("Of course.", "Certainly.", "Gladly."),
    "rephrase": ("Let me put it in context.", "Let us look at it again."),
    "off_script": (
        "Let us keep to the question. I am listening.",
        "I would rather hear what you think about the question.",
        "Let us stay with the case.",
    ),
    "ask_answer": (
        "I cannot give you the answer, but I would like to hear your thoughts.",
        "That I must leave to you. Tell me what you think.",
    ),
    "ask_mark": (
        "I cannot comment on your marks now; you will hear how you did.",
        "We look at the marks at the proper time. Please go on.",
    ),
    "identity": ("I am a computer program that asks the questions. Please go on with the case.",),
    "hear": ("Yes, I can hear you. Please go on.",),
    "case_facts": (
        "I have no more than what the case tells you. Please go on from there.",
        "Work with what the case gives you, please.",
    ),
    "greeting": ("Hello. Please go on.",),
    "talk_hello": ("Hello! What would you like to talk about?",),
    "talk": ("I see. Tell me more.", "Go on, I am listening.", "That is interesting, tell me more."),
    "talk_quiet": ("I am still here.",),
    "closing": ("That was the last question.",),
    "closing_wait": ("One moment, I am finishing the marks.",),
    "closing_early": ("We stop here.",),
    "report": ("Your report is on the screen. Thank you, and goodbye.",),
}


def pick(key: str, seed: int, turn: int) -> str:
    """One variant of a phrase: seeded by the exam, another one each time it comes up again soon.

    Args:
        key: A key of `PHRASES`.
        seed: The exam's seed.
        turn: Replies made so far; neighbouring turns give different variants where there are several.
    """
    variants = PHRASES[key]
    return variants[(random.Random(f"{seed}:{key}").randrange(len(variants)) + turn) % len(variants)]


_ORDINALS = "zero one two three four five six seven eight nine ten eleven twelve".split()


def number_word(number: int) -> str:
    """A question's number as it is spoken: words up to twelve, figures beyond."""
    return _ORDINALS[number] if 0 <= number < len(_ORDINALS) else str(number)


def join_names(names: tuple[str, ...] | list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def duration(seconds: float) -> str:
    """A length of time as one says it.

    >>> [duration(seconds) for seconds in (29.6, 61, 92, 118)]
    ['30 seconds', 'one minute', 'one and a half minutes', '2 minutes']
    """
    if seconds < 75:
        rounded = max(5, 5 * round(seconds / 5))
        return "one minute" if 55 <= rounded <= 65 else f"{rounded} seconds"
    half_minutes = round(seconds / 30)
    if half_minutes == 3:
        return "one and a half minutes"
    whole = half_minutes // 2
    return f"{whole} and a half minutes" if half_minutes % 2 else f"{whole} minutes"
