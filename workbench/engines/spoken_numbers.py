"""Numbers and quantities in words: "2.5 mg/kg" is "two point five milligrams per kilogram"."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
"""An unsigned number as it is written in running text."""

_PREFIXES = {
    "p": "pico", "n": "nano", "µ": "micro", "mc": "micro", "m": "milli", "c": "centi", "d": "deci", "k": "kilo",
    "M": "mega", "G": "giga",
}  # fmt: skip

_BASES: dict[str, tuple[str, str, str]] = {
    # symbol: (singular, plural, prefixes it is written with)
    "g": ("gram", "grams", "pnµ mc m k"),
    "m": ("metre", "metres", "nµ c m k"),
    "L": ("litre", "litres", "nµ mc m d f"),
    "l": ("litre", "litres", "µ m d"),
    "mol": ("mole", "moles", "pnµ m k"),
    "s": ("second", "seconds", "nµ m"),
    "Pa": ("pascal", "pascals", "k M G"),
    "N": ("newton", "newtons", "m k M"),
    "J": ("joule", "joules", "m k M"),
    "W": ("watt", "watts", "m k M G"),
    "V": ("volt", "volts", "µ m k"),
    "A": ("ampere", "amperes", "µ m k"),
    "Ω": ("ohm", "ohms", "m k M"),
    "Hz": ("hertz", "hertz", "k M G"),
    "Eq": ("equivalent", "equivalents", "m"),
    "eq": ("equivalent", "equivalents", "m"),
    "cal": ("calorie", "calories", "k"),
    "Osm": ("osmole", "osmoles", "m"),
    "IU": ("international unit", "international units", "m"),
    "U": ("unit", "units", "m"),
    "Sv": ("sievert", "sieverts", "µ m"),
    "Gy": ("gray", "grays", "m c"),
    "Bq": ("becquerel", "becquerels", "k M G"),
    "bar": ("bar", "bar", "m"),
}

_UNITS: dict[str, tuple[str, str]] = {
    "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "mmHg": ("millimetre of mercury", "millimetres of mercury"),
    "mm Hg": ("millimetre of mercury", "millimetres of mercury"),
    "cmH2O": ("centimetre of water", "centimetres of water"),
    "cm H2O": ("centimetre of water", "centimetres of water"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "wk": ("week", "weeks"),
    "wks": ("week", "weeks"),
    "yr": ("year", "years"),
    "yrs": ("year", "years"),
    "bpm": ("beat per minute", "beats per minute"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "kmh": ("kilometre per hour", "kilometres per hour"),
    "kph": ("kilometre per hour", "kilometres per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "ft": ("foot", "feet"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "kt": ("knot", "knots"),
    "kts": ("knot", "knots"),
    "NM": ("nautical mile", "nautical miles"),
    "psi": ("pound per square inch", "pounds per square inch"),
    "dB": ("decibel", "decibels"),
    "Fr": ("French", "French"),
    "N·m": ("newton metre", "newton metres"),
    "Nm": ("newton metre", "newton metres"),
    "kN·m": ("kilonewton metre", "kilonewton metres"),
    "kNm": ("kilonewton metre", "kilonewton metres"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "mAh": ("milliampere hour", "milliampere hours"),
    "kDa": ("kilodalton", "kilodaltons"),
    "mIU": ("milli-international unit", "milli-international units"),
    "hPa": ("hectopascal", "hectopascals"),
    "kgf": ("kilogram force", "kilograms force"),
    "°C/W": ("degree Celsius per watt", "degrees Celsius per watt"),
}
for _symbol, (_one, _many, _written) in _BASES.items():
    _UNITS[_symbol] = (_one, _many)
    _letters = "".join(_written.replace("mc", "").split())
    for _letter in [*_letters, *(["mc"] if "mc" in _written else [])]:
        _name = "femto" if _letter == "f" else _PREFIXES[_letter]
        _UNITS.setdefault(_letter + _symbol, (_name + _one, _name + _many))

_ONLY_BELOW = {
    "day": "day", "days": "day", "d": "day", "dose": "dose", "night": "night", "week": "week", "wk": "week",
    "month": "month", "year": "year", "yr": "year", "hour": "hour", "minute": "minute", "second": "second",
    "hpf": "high-power field", "beat": "beat", "breath": "breath", "litre": "litre", "kilogram": "kilogram",
}  # fmt: skip
_ONLY_ABOVE = {"cells": ("cell", "cells"), "beats": ("beat", "beats"), "breaths": ("breath", "breaths")}
_POWERS = {"²": 2, "³": 3, "^2": 2, "^3": 3, "2": 2, "3": 3}
_LENGTHS = {"metre", "millimetre", "centimetre", "kilometre", "micrometre", "foot"}
_NEEDS_NUMBER = {"m", "s", "g", "h", "L", "l", "N", "J", "W", "V", "A", "U", "K", "min", "sec", "bar", "ft", "Fr",
                 "NM", "°", "pA", "nA", "mA", "mm", "cm", "km", "wk", "yr", "oz", "lb", "kt", "ms", "ns", "mV", "dl",
                 "ml", "ng", "pg", "hr", "hrs", "mins", "secs", "mW", "MW", "MN", "GW", "MJ", "mN", "mU", "cal", "eq",
                 "mol", "Nm", "Pa", "MPa", "GPa", "nm", "pm"}  # fmt: skip


def _alternatives(symbols: set[str]) -> str:
    return "|".join(re.escape(symbol) for symbol in sorted(symbols, key=len, reverse=True))


_POWER = r"(?:²|³|\^[23]|(?<=m)[23](?![\d.]))?"
_ABOVE = f"(?:{_alternatives(set(_UNITS) | set(_ONLY_ABOVE))}){_POWER}"
_BELOW = f"(?:{_alternatives(set(_UNITS) | set(_ONLY_BELOW))}){_POWER}"
UNIT = rf"(?:{_ABOVE}(?:\s?/\s?{_BELOW})*|(?:/\s?{_BELOW})+)(?![A-Za-z0-9µ²³])"
"""A unit of measure, or what stands below a fraction bar alone: "mg/kg/day", "/min"."""

_QUANTITY = re.compile(rf"(?<![\w.])(?P<sign>[-−]\s?)?(?P<number>{NUMBER})(?P<joint>\s?-?)(?P<unit>{UNIT})(?! M\b)")
_POWER_OF_TEN = re.compile(rf"(?P<number>{NUMBER})\s?[x×*·]\s?10\^(?P<power>[-−]?\d+)\s?(?P<unit>{UNIT})?")
_BARE_UNIT = re.compile(
    rf"(?<![\w/])(?:{_alternatives({u for u in _UNITS if u not in _NEEDS_NUMBER and len(u) > 1 and u[0] != '°'})})"
    rf"{_POWER}(?:\s?/\s?{_BELOW})*(?![\w/])"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")


@lru_cache(maxsize=4096)
def number_words(number: str) -> str:
    """A number in words, decimals digit by digit; a leading zero makes it a code that is read digit by digit.

    >>> number_words("1,200"), number_words("0.05"), number_words("007")
    ('one thousand two hundred', 'zero point zero five', 'zero zero seven')
    """
    whole, _, decimals = number.replace(",", "").partition(".")
    whole = whole or "0"
    if (whole[0] == "0" and len(whole) > 1) or len(whole) > 12:
        words = digit_words(whole)
    else:
        words = num2words(int(whole)).replace(",", "")
    return f"{words} point {digit_words(decimals)}" if decimals else words


def digit_words(digits: str) -> str:
    """Digits one by one: "27" is "two seven"."""
    return " ".join(num2words(int(digit)) for digit in digits)


def year_words(year: str) -> str:
    """A year as it is said: "1999" is "nineteen ninety-nine"."""
    return str(num2words(int(year), to="year"))


def ordinal_words(number: str) -> str:
    """ "3" is "third"."""
    return str(num2words(int(number.replace(",", "")), to="ordinal"))


def quantities(text: str) -> str:
    """Writes out every number that has a unit, and the units that have no number.

    >>> quantities("1 mg, 2.5 mg/kg/day, in mmol/L")
    'one milligram, two point five milligrams per kilogram per day, in millimoles per litre'
    """
    text = text.replace("μ", "µ") if re.search(rf"\bμ(?:{_alternatives(set(_BASES))})\b", text) else text
    text = re.sub(r"(10)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda match: f"{match[1]}^{match[2].translate(_SUPERSCRIPTS)}", text)
    text = _POWER_OF_TEN.sub(_power_of_ten, text)
    text = re.sub(
        rf"(?<![\w.])10\^(-?\d+)(?:\s?({UNIT}))?", lambda match: "ten to the power of " + _rest_of_power(match), text
    )
    text = _QUANTITY.sub(_quantity, text)
    text = re.sub(
        rf"\b(cells|beats|breaths)\s?/\s?({_BELOW})(?!\w)",
        lambda match: f"{match[1]} per {_one_unit(match[2], plural=False)}",
        text,
    )
    return _BARE_UNIT.sub(lambda match: unit_words(match.group(), plural=True), text)


def unit_words(unit: str, *, plural: bool) -> str:
    """A unit in words; only what is above the fraction bar has a plural."""
    above, *below = re.split(r"\s?/\s?", unit) if unit not in _UNITS else [unit]
    words = [_one_unit(above, plural=plural)] if above else []
    words += [f"per {_one_unit(part, plural=False)}" for part in below]
    return " ".join(words)


def _one_unit(symbol: str, *, plural: bool) -> str:
    power = 0
    if symbol not in _UNITS and symbol not in _ONLY_BELOW:
        for mark, exponent in _POWERS.items():
            if symbol.endswith(mark):
                symbol, power = symbol[: -len(mark)], exponent
                break
    if symbol in _UNITS or symbol in _ONLY_ABOVE:
        one, many = _UNITS.get(symbol) or _ONLY_ABOVE[symbol]
    else:
        one = many = _ONLY_BELOW[symbol]
    name = many if plural else one
    if not power:
        return name
    if one in _LENGTHS:
        return f"{'square' if power == 2 else 'cubic'} {name}"
    return f"{name} {'squared' if power == 2 else 'cubed'}"


def _quantity(match: re.Match[str]) -> str:
    sign = "minus " if match["sign"] else ""
    plural = match["number"].replace(",", "") != "1" and "-" not in match["joint"]  # a 70-kg man
    return f"{sign}{number_words(match['number'])} {unit_words(match['unit'], plural=plural)}"


def _power_of_ten(match: re.Match[str]) -> str:
    return f"{number_words(match['number'])} times ten to the power of " + _rest_of_power(
        re.fullmatch(r"(-?\d+)\|(.*)", f"{match['power'].replace('−', '-')}|{match['unit'] or ''}")  # type: ignore[arg-type]
    )


def _rest_of_power(match: re.Match[str]) -> str:
    power, unit = match[1], match[2]
    words = ("minus " if power.startswith("-") else "") + number_words(power.lstrip("-"))
    return f"{words} {unit_words(unit, plural=True)}" if unit else words
