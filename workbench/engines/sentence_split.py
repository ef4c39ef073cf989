"""A text cut into sentences, as people read them and not at every full stop."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)")
_NEVER_LAST = {
    "dr", "mr", "mrs", "ms", "prof", "st", "sr", "jr", "fig", "eq", "vs", "v", "eg", "e.g", "ie", "i.e", "cf",
    "approx",
    "art", "sec", "ch", "vol", "pp", "ca", "al", "viz", "capt", "lt", "col", "gen", "hon", "rev", "messrs",
}  # fmt: skip
_LAST_BEFORE_CAPITAL = {"etc", "a.m", "p.m", "inc", "ltd", "co", "u.k", "u.s"}


def sentences(text: str) -> list[str]:
    """Cuts a text into sentences; titles, initials, decimals and "e.g." do not end one.

    >>> sentences("Dr. Smith gave 2.5 mg, e.g. at night. Why? Explain.")
    ['Dr. Smith gave 2.5 mg, e.g. at night.', 'Why?', 'Explain.']
    """
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)", text):
        flat = " ".join(paragraph.split())
        start = 0
        for match in _END.finditer(flat):
            if _ends_sentence(flat, start, match):
                out.append(flat[start : match.end()].strip())
                start = match.end()
        out.append(flat[start:].strip())
    return [sentence for sentence in out if re.search(r"\w", sentence)]


def _ends_sentence(flat: str, start: int, match: re.Match[str]) -> bool:
    if not match.group().startswith("."):
        return True
    if match.group().startswith(".."):
        return flat[match.end() :].lstrip()[:1].isupper()
    before = flat[start : match.start()].split()
    last = before[-1].lstrip("([\"'“‘").lower() if before else ""
    following = flat[match.end() :].lstrip()[:1]
    if last in _NEVER_LAST:
        return False
    if last in _LAST_BEFORE_CAPITAL:
        return following.isupper()
    if last == "no":
        return not following.isdigit()
    if len(last) == 1 and last.isalpha():
        # "J. Smith" and "Harold J. Smith" go on, "vitamin C. Then" and "plan B. Then" do not.
        return not (len(before) == 1 or before[-2].rstrip(".").lower() in _NEVER_LAST or before[-2].endswith("."))
    if re.fullmatch(r"\d+", last) and len(before) == 1:  # a numbered list
        return False
    return not following.islower()
