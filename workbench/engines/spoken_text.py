"""Text as it is spoken: units, numbers, symbols and abbreviations written out."""

from __future__ import annotations

import re
import unicodedata

from workbench.engines.sentence_split import sentences
from workbench.engines.spoken_numbers import (
    NUMBER,
    UNIT,
    digit_words,
    number_words,
    ordinal_words,
    quantities,
    year_words,
)
from workbench.engines.spoken_terms import (
    ABBREVIATIONS,
    CURRENCIES,
    GREEK,
    MONTHS,
    ORDINAL_FRACTIONS,
    OUT_OF,
    ROMAN_AFTER,
    ROMAN_I_NOT_BEFORE,
    SAID_AS_WORDS,
    SHOUTED,
    SYMBOLS,
    TERMS,
)

__all__ = ["sentences", "speakable"]


def speakable(text: str) -> str:
    """The text as it is to be read aloud: plain words and punctuation, nothing a voice would stumble over.

    Meant for whole lines. The text on the screen stays as it was written.

    >>> speakable("NYHA class III: give a β-blocker, 2.5 mg, if BP >= 120/80 mmHg.")
    'N Y H A class three: give a beta blocker, two point five milligrams, if B P greater than or equal to \
one hundred and twenty over eighty millimetres of mercury.'
    """
    written = text
    text = _plain(text)
    text = _written_out(text)
    text = _roman(text)
    text = _dates_and_times(text)
    text = _flight(text)
    text = _fractions_and_ranges(text)
    text = quantities(text)
    text = _symbols(text)
    text = _loose_numbers(text)
    text = _spelled(text)
    spoken = _tidy(text)
    # A clause on its own keeps its comma; a comma that a bracket or three dots left behind ends the sentence.
    return spoken if written.rstrip().endswith((",", ";", ":")) else re.sub(r"[,;:]$", ".", spoken)


_TERM = re.compile(
    r"(?<![\w.])(?:" + "|".join(re.escape(term) for term in sorted(TERMS, key=len, reverse=True)) + r")(?![\w+])"
)
_ABBREVIATION = [(re.compile(pattern), spoken) for pattern, spoken in ABBREVIATIONS.items()]
_SYMBOL = [(re.compile(pattern), spoken) for pattern, spoken in SYMBOLS.items()]
_NUMERAL = r"(?:X{0,3}(?:IX|IV|V?I{1,3}|V)|X{1,3})"
_ROMAN = re.compile(
    rf"\b(?P<context>(?i:{ROMAN_AFTER}))(?P<gap>[\s-]+)"
    rf"(?P<list>{_NUMERAL}[ab]?(?![A-Za-z])(?:(?:\s?[,/–-]\s?|\s(?:and|or|to|through)\s|,\s(?:and|or)\s)"
    rf"{_NUMERAL}[ab]?(?![A-Za-z]))*)"
)
_MONTH = "|".join(f"{month}|{month[:3]}" for month in MONTHS)


def _plain(text: str) -> str:
    """Without markup: headings, emphasis, links, code, tables, emoji, control characters."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"```.*?(?:```|$)", " ", text, flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?m)^\s{0,3}(?:#{1,6}\s+|>\s?|[-*•]\s+|\d{1,2}[.)]\s+(?=\S))", "", text)
    text = re.sub(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    text = re.sub(r"(?<!\w)([*_])(?=\S)([^*_\n]+?)(?<=\S)\1(?!\w)", r"\2", text)
    text = re.sub(r"`([^`]*)`", r"\1", text)
    text = re.sub(r"</?[a-zA-Z][^<>]{0,80}>", " ", text)
    text = re.sub(r"https?://(?:www\.)?([^\s/?#),]+)[^\s),]*", lambda m: _dotted(m[1]), text)
    text = re.sub(r"\bwww\.([^\s/?#),]+)[^\s),]*", lambda m: _dotted(m[1]), text)
    text = re.sub(r"\b([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)", lambda m: f"{_dotted(m[1])} at {_dotted(m[2])}", text)
    text = text.replace("|", ", ").replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    kept = (" " if unicodedata.category(c) in ("So", "Cc", "Cf", "Zs", "Zl", "Zp", "Co") and c not in "°↑↓←→⇒\n"
            else c for c in text)  # fmt: skip
    return re.sub(r"[^\S\n]+", " ", "".join(kept))


def _dotted(name: str) -> str:
    return name.strip(".").replace(".", " dot ")


def _written_out(text: str) -> str:
    for pattern, spoken in _ABBREVIATION:
        text = pattern.sub(spoken, text)
    return _TERM.sub(lambda match: TERMS[match.group()], text)


def _roman(text: str) -> str:
    def words(match: re.Match[str]) -> str:
        numerals = match["list"]
        following = text[match.end() :].split(maxsplit=1)
        if numerals == "I" and following and following[0].lower().strip(",.;:") in ROMAN_I_NOT_BEFORE:
            return match.group()
        spoken = re.sub(
            rf"({_NUMERAL})([ab]?)(?![A-Za-z])",
            lambda m: number_words(str(_roman_value(m[1]))) + (f" {m[2].upper()}" if m[2] else ""),
            re.sub(r"\s?[–-]\s?", " to ", numerals),
        )
        return f"{match['context']} {spoken.replace('/', ' or ')}"

    return _ROMAN.sub(words, text)


def _roman_value(numeral: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in numeral]
    return sum(-one if one < max(values[i:]) else one for i, one in enumerate(values))


def _dates_and_times(text: str) -> str:
    def iso(match: re.Match[str]) -> str:
        return _date(match[0], int(match[3]), int(match[2]), match[1])

    def slashed(match: re.Match[str]) -> str:
        day, month = int(match[1]), int(match[2])
        if month > 12 >= day:
            day, month = month, day
        return _date(match[0], day, month, match[3])

    def clock(match: re.Match[str]) -> str:
        hour, minute = number_words(str(int(match[1]))), match[2]
        if minute == "00":
            return f"{hour} o'clock" if int(match[1]) <= 12 else f"{hour} hundred hours"
        return f"{hour} {'oh ' + number_words(minute[1]) if minute[0] == '0' else number_words(minute)}"

    text = re.sub(r"\b(\d{4})-(\d{2})-(\d{2})\b", iso, text)
    text = re.sub(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b", slashed, text)
    text = re.sub(
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)? ((?i:{_MONTH})),? (\d{{4}})\b",
        lambda m: f"{ordinal_words(m[1])} of {_month(m[2])} {year_words(m[3])}",
        text,
    )
    text = re.sub(
        rf"\b((?i:{_MONTH})) (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b",
        lambda m: f"{_month(m[1])} {ordinal_words(m[2])} {year_words(m[3])}",
        text,
    )
    text = re.sub(r"\b([01]?\d|2[0-3]):([0-5]\d)\b", clock, text)
    text = re.sub(r"\b((?:1[1-9]|20)\d)0'?s\b", lambda m: _decade(m[1] + "0"), text)
    return re.sub(
        r"(?P<before>\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Yy]ear|[Cc]irca|[Aa]ct,?|[Cc]ode,?|[Rr]ules,?|of|"
        rf"{_MONTH})\s|\()(?P<year>1[1-9]\d\d|20\d\d)(?P<to>\s?[-–]\s?(?:1[1-9]\d\d|20\d\d))?(?![\w%])"
        rf"(?!\s?{UNIT}|\s(?:patients|people|steps|calories|units|words|years|samples|times)|[,.]\d|/)",
        lambda m: m["before"] + year_words(m["year"]) + (" to " + year_words(m["to"].lstrip(" -–")) if m["to"] else ""),
        text,
    )


def _date(written: str, day: int, month: int, year: str) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return " ".join(number_words(part) for part in re.findall(r"\d+", written))
    return f"{ordinal_words(str(day))} of {MONTHS[month - 1]} {year_words(year)}"


def _month(name: str) -> str:
    return next(month for month in MONTHS if month[:3].lower() == name[:3].lower())


def _decade(year: str) -> str:
    words = year_words(year)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _flight(text: str) -> str:
    """Runways and flight levels are read digit by digit (ICAO Annex 10, volume II, 5.2.1.4)."""
    text = re.sub(r"\bFL\s?(\d{2,3})\b", lambda match: f"flight level {digit_words(match[1])}", text)
    side = {"L": " left", "R": " right", "C": " centre", None: ""}
    return re.sub(r"\b([Rr]unway) (\d{1,2})([LRC])?\b", lambda m: f"{m[1]} {digit_words(m[2])}{side[m[3]]}", text)


def _fractions_and_ranges(text: str) -> str:
    def fraction(match: re.Match[str]) -> str:
        above, below = int(match[1]), int(match[2])
        if 40 <= above <= 300 and 20 <= below <= 200 and below < above and below not in OUT_OF - {50}:
            return f"{number_words(match[1])} over {match[2]}"
        if (above, below) in ORDINAL_FRACTIONS:
            return ORDINAL_FRACTIONS[above, below]
        joint = "out of" if (below in OUT_OF and above <= below) or (below == 6 and above < 6) else "over"
        return f"{number_words(match[1])} {joint} {match[2]}"

    text = re.sub(
        r"(?i)\b(BP|blood pressure)((?:\s(?:of|is|was|to|at))?\s)(\d{2,3})\s?/\s?(\d{2,3})\b",
        lambda m: f"{m[1]}{m[2]}{number_words(m[3])} over {m[4]}",
        text,
    )
    text = re.sub(r"\b(\d{2,3})\s?/\s?(\d{2,3})(?=\s?mm\s?Hg)", lambda m: f"{number_words(m[1])} over {m[2]}", text)
    text = re.sub(r"(?<![\w./-])(\d{1,3})\s?/\s?(\d{1,3})(?![\d/]|\.\d)", fraction, text)
    text = re.sub(
        r"([$£€₹])\s?" + f"({NUMBER})" + r"(\s(?:hundred|thousand|lakh|million|crore|billion|trillion))?",
        lambda m: f"{number_words(m[2])}{m[3] or ''} {CURRENCIES[m[1]]}{'' if m[2] == '1' and not m[3] else 's'}",
        text,
    )
    text = re.sub(
        rf"(?<![\w.,/–-])({NUMBER})(\s?{UNIT})?\s?(?:–|—|-|−)\s?(?={NUMBER}(?![\w]*-\d))",
        lambda m: (quantities(m[0].rstrip(" –—-−")) if m[2] else number_words(m[1])) + " to ",
        text,
    )
    text = re.sub(
        rf"(?<![\w.])({NUMBER})(?:\s?{UNIT})?\s?[x×]\s?(?={NUMBER}\s?(?:[x×]|[mckµ]?m\b))",
        lambda m: f"{number_words(m[1])} by ",
        text,
    )
    text = re.sub(rf"(?<![\w.])({NUMBER})\s?[x×]\s?(?={NUMBER}(?!\^))", lambda m: f"{number_words(m[1])} times ", text)
    return re.sub(rf"({NUMBER})\s?(?:±|\+/-)\s?(?={NUMBER})", lambda m: f"{number_words(m[1])} plus or minus ", text)


def _symbols(text: str) -> str:
    text = re.sub(r"(?<=[α-ωΑ-Ω])[-‐‑](?=\w)|(?<=\w)[-‐‑](?=[α-ωΑ-Ω])", " ", text)
    text = re.sub(r"[α-ωΑ-Ωµ]", lambda match: f" {GREEK.get(match.group(), '')} ", text)
    for pattern, spoken in _SYMBOL:
        text = pattern.sub(spoken, text)
    text = re.sub(r"(?<=[a-z])\s?/\s?(?=[a-z])", " or ", text)
    return re.sub(r"[/\\]", " ", text)


def _loose_numbers(text: str) -> str:
    text = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", lambda match: ordinal_words(match[1]), text)
    text = re.sub(r"(?<=[A-Za-z])[-‐‑–](?=\d)|(?<=\d)[-‐‑–](?=[A-Za-z])", " ", text)
    text = re.sub(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", text)
    text = re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)
    return re.sub(rf"{NUMBER}", lambda match: f" {number_words(match.group())} ", _ascii_digits(text))


def _ascii_digits(text: str) -> str:
    """Digits of any script, subscripts included, as 0 to 9; other numerals are dropped."""
    out = []
    for character in text:
        if character.isascii() or not character.isnumeric():
            out.append(character)
        else:
            digit = unicodedata.digit(character, None)
            out.append(" " if digit is None else f" {digit} ")
    return "".join(out)


def _spelled(text: str) -> str:
    """Runs of capitals letter by letter, unless they are said as a word or only mean emphasis."""
    text = re.sub(
        r"(?<!\w)[A-Z][A-Z]+(?: [A-Z][A-Z]+){3,}(?!\w)", lambda match: match.group().lower(), text
    )  # a shouted sentence
    text = re.sub(
        r"\b((?:[A-Z]\.){2,})(\s+(?:The|This|That|It|He|She|They|In|If|An?|What|Which|Why|How|Then|But)\b|\s*$)?",
        lambda m: " ".join(m[1].replace(".", "")) + ("." + m[2] if m[2] is not None else ""),
        text,
    )

    def spell(match: re.Match[str]) -> str:
        letters, ending = match[1], match[2] or ""
        if letters in SHOUTED:
            return letters.lower() + ending
        if letters in SAID_AS_WORDS or len(letters) > 5:
            return letters.capitalize() + ending
        return " ".join(letters) + ("'s" if ending else "")

    return re.sub(r"(?<![A-Za-z])([A-Z]{2,})('?s)?(?![A-Za-z])", spell, text)


def _tidy(text: str) -> str:
    text = re.sub(r"\s*\n+\s*", lambda _: " \n ", text)
    text = re.sub(r"(?<=[\w\"'])\s*\n\s*", ". ", text)
    text = re.sub(r"\s[–—-]+\s|[–—]|--+|\s*\.\.\.+|…", ", ", text)
    text = re.sub(r"\s*[()\[\]{}]\s*", lambda m: ", " if m.group().strip() in "([{" else ", ", text)
    text = re.sub(r"[^\w\s.,;:?!'\"-]|_", " ", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([.,;:?!])", r"\1", text)
    text = re.sub(r"[,;:]+(?=[.?!,;:])", "", text)
    text = re.sub(r"([.?!])[,;:]", r"\1", text)
    text = re.sub(r"([.?!])(?:\s*\.)+", r"\1", text)
    text = re.sub(r"([,;:.?!])(?=[A-Za-z\"])(?!(?<=\.)[a-z])", r"\1 ", text)
    return text.strip().lstrip(",;:. ").strip()
