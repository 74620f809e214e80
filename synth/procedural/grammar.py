"""Grammar by function: articles, plurals, counts and lists, so that no template writes "a orange one" or "1 more days".

Values that enter a wording know their forms by format specification:

    {thing}  {thing:a}  {thing:s}     roll, a roll, rolls
    {n}      {n:roll}   {n:more roll}  1, 1 roll, 1 more roll
"""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from synth.arithmetic import written

_IRREGULAR = {
    "foot": "feet", "person": "people", "child": "children", "man": "men", "woman": "women", "half": "halves", "shelf": "shelves",
    "die": "dice", "loaf": "loaves", "scarf": "scarves", "leaf": "leaves", "knife": "knives", "sheep": "sheep", "fish": "fish",
    "vertex": "vertices", "potato": "potatoes", "tomato": "tomatoes", "series": "series", "mouse": "mice",
}  # fmt: skip
_SYMBOLS = frozenset({"%", "°"})
_ABBREVIATED = frozenset({"km", "cm", "m", "kg", "g"})
_VOWEL_SOUND = re.compile(r"(?:hour|honest|heir|[aeio]|u(?!ni|se|su|ti|ranium)|8|11(?!\d)|18(?!\d)|[FHLMNRSX]\b)", re.IGNORECASE)
_CONSONANT_SOUND = re.compile(r"(?:one\b|once|eu|ewe)", re.IGNORECASE)
_BEGINNING = r"([\"“*(]*)([a-zà-ÿ])(?=[a-zà-ÿ]|(?<=a)\s[a-z])"
_FIRST = re.compile(_BEGINNING)
_LATER = re.compile(rf"([.!?]\**\s){_BEGINNING}")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth", "twenty-first", "twenty-second",
    "twenty-third", "twenty-fourth",
)  # fmt: skip
_CARDINALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


class Noun(str):
    """A noun or a name with its forms."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        """Return the word, with its article (`a`), or in the plural (`s`)."""
        return str(self) if not form else with_article(self) if form == "a" else plural(self)


class Number(Fraction):
    """A number; a noun as its format follows it in the right form."""

    __slots__ = ()

    def __format__(self, noun: str) -> str:
        """Return the number as a textbook writes it, followed by a noun in singular or plural."""
        return with_noun(self, noun)


def shown(value: Any) -> Any:
    """Return a value as wordings use it: numbers and words with forms, lists as lists in a sentence."""
    if isinstance(value, str):
        return Noun(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Fraction):
        return Number(value)
    if isinstance(value, Sequence):
        return Noun(listed([written(each) if isinstance(each, int | Fraction) else str(each) for each in value]))
    return value


@cache
def plural(noun: str) -> str:
    """Return the plural of a noun; of a phrase with "of", "in", "for" or "with", that of what stands before."""
    head = re.match(r"(.+?)( (?:of|in|for|with|on|per) .+)", noun)
    if head is not None:
        return plural(head[1]) + head[2]
    *before, last = noun.rsplit(" ", 1)
    if last in _IRREGULAR:
        made = _IRREGULAR[last]
    elif re.search(r"(?:s|x|z|ch|sh)$", last):
        made = f"{last}es"
    else:
        made = f"{last[:-1]}ies" if re.search(r"[^aeiou]y$", last) else f"{last}s"
    return " ".join([*before, made])


@cache
def with_article(phrase: str) -> str:
    """Return a phrase with its indefinite article, by sound."""
    vowel = _VOWEL_SOUND.match(phrase) is not None and _CONSONANT_SOUND.match(phrase) is None
    return f"{'an' if vowel else 'a'} {phrase}"


def with_noun(number: Fraction | int, noun: str) -> str:
    """Return a number with its noun: 1 roll, 3 rolls, 2.5 litres, 20%."""
    text = written(number)
    if not noun:
        return text
    if noun in _SYMBOLS:
        return text + noun
    return f"{text} {noun}" if noun in _ABBREVIATED else f"{text} {noun if number == 1 else plural(noun)}"


def listed(items: Iterable[str], word: str = "and") -> str:
    """Return items as a list in a sentence: a, b and c."""
    *most, last = list(items) or ["nothing"]
    return f"{', '.join(most)} {word} {last}" if most else last


def ordinal(number: int) -> str:
    """Return first for 1, second for 2, ... in words for as many entries as a list of facts may have (`MOST_ITEMS`)."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def cardinal(number: int) -> str:
    """Return a whole number in words up to twelve."""
    return _CARDINALS[number] if number < len(_CARDINALS) else str(number)


def capitalised(text: str) -> str:
    """Begin every sentence of a text with a capital, except one that begins with a letter of algebra."""
    return _LATER.sub(lambda found: found[1] + found[2] + found[3].upper(), begun(text))


def begun(text: str) -> str:
    """Return a single sentence with its capital."""
    if text[:1].isupper():
        return text
    first = _FIRST.match(text)
    return text if first is None else first[1] + first[2].upper() + text[first.end() :]
