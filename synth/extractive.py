"""Exercises that rules take from a document: gaps, definitions, numbers and look-ups in tables, with nothing that it does not say.

A passage is a chunk of the document, anywhere in it. Each kind has a rule that finds what can be asked of a passage:

    cloze       a name, or a word that the passage uses more than once, is left out of a sentence
    definition  a sentence "X is ..." that begins a paragraph, or names what was not named before
    number      a number with at least five other words around it is left out
    table       a cell of a table in Markdown, with a header, is asked for by its row and column

Invariants
    - Question and answer are made of the passage's words and of the wordings in `phrases/extractive.toml`.
    - A sentence is whole: it begins after another one, and its last full stop belongs to no abbreviation.
    - A gap is a whole token or phrase, never part of a word with a hyphen, a longer name or number, a quotation, a formula or an address.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth.procedural.chance import Chance
from synth.procedural.phrasebook import Speaker, book

ASKABLE = ("cloze", "definition", "number", "table")
PASSAGE_CHARACTERS = 900

_GAP = "____"
_BREAK = "\n\n"
_SENTENCE = re.compile(r"(?:(?<=\n)|(?<=[.!?] )|^)[A-Z](?:[^.!?\n|]|\.(?=\d)){25,280}\.(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:\b[A-Za-z]|\b(?:Dr|Mr|Mrs|Ms|St|Mt|Prof|Jr|Sr|No|Nos|Fig|Eq|Sec|Ch|Vol|pp|vs|cf|etc|al|approx|ca|Inc|Ltd|Co|Corp|Gov|Gen|Col|Lt|Sgt|Rev|Jan|Feb"
    r"|Mar|Apr|Aug|Sept?|Oct|Nov|Dec))\.\s*$"
)
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-zà-ÿ]{2,}(?: (?:of )?[A-Z][a-zà-ÿ]+)*")
_WORD = re.compile(r"\b[a-z]{6,}\b")
_NUMBER = re.compile(r"(?<!\S)\d(?:[\d,]*\d)?(?:\.\d+)?(?: ?%|(?: (?:hundred|thousand|million|billion|trillion))+\b)?(?![\w.,/]*\d)")
_DEFINITION = re.compile(
    r"(?P<subject>(?:An? |The )?(?:[A-Za-zà-ÿ-]+ ){0,3}?[A-Za-zà-ÿ-]{3,}) (?P<verb>is|are|means|refers to) (?:an?|the|any|those|that) "
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|‘[^’]*’|`[^`]*`|\$[^$]*\$|\\\(.*?\\\)")
"""Quotations, code and formulas inside a sentence."""
_OPERATOR = re.compile(r"[-−–+*×·÷/=<>≤≥≈^~]+")
_NO_SUBJECT, _OPENERS = (frozenset(book("words")[name].split()) for name in ("no_subject", "openers"))
_RULE = re.compile(r"\|?\s*:?-{3,}")


@dataclass(frozen=True)
class Extract:
    """Something that can be asked of a passage: what is asked with, the answer, and the sentence or row that holds it."""

    kind: str
    question: str
    answer: str
    evidence: str
    reply: str
    options: tuple[str, ...] = ()


def passages(text: str, most: int = PASSAGE_CHARACTERS) -> list[str]:
    """Return a document as chunks of whole paragraphs, of about `most` characters; a much longer one without a table as whole sentences."""
    chunks: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        is_long = len(paragraph) > 2 * most and "|" not in paragraph
        for place, piece in enumerate(re.split(r"(?<=[.!?])\s+|\n", paragraph) if is_long else [paragraph]):
            if chunks and len(chunks[-1]) + len(piece) < most:
                chunks[-1] += f"{' ' if place else _BREAK}{piece.strip()}"
            elif piece.strip():
                chunks.append(piece.strip())
    return chunks


def item_of(passage: str, kind: str, chance: Chance) -> Extract | None:
    """Return an exercise of a kind, or of the next kind that the passage allows; None if it allows none."""
    first = ASKABLE.index(kind)
    for name in (*ASKABLE[first:], *ASKABLE[:first]):
        found = list(_RULES[name](passage))
        if found:
            return _worded(name, chance.choice(found), passage, chance)
    return None


def _worded(kind: str, found: Mapping[str, str], passage: str, chance: Chance) -> Extract:
    words, say = book("extractive"), Speaker(chance, {})
    question = say.plain(words[kind], found)
    options = _others(kind, found["answer"], passage, chance)
    if options:
        question += "\n\n" + say.plain(words["options"], {"options": ", ".join(options)})
    replies = {"definition": "sentences", "table": "cells"}.get(kind, "answers")
    return Extract(kind, question, found["answer"], found["evidence"], say.plain(words[replies], found), tuple(options))


def _others(kind: str, answer: str, passage: str, chance: Chance) -> list[str]:
    """Return three or four things of the answer's kind from the passage, the answer among them; nothing if there are too few."""
    pattern = _NUMBER if kind == "number" else _NAME if _NAME.fullmatch(f"{answer}") or answer[:1].isupper() else _WORD
    others = sorted({word for word, _ in _gaps(passage, (pattern,))} - {answer}) if kind in ("cloze", "number") else []
    if len(others) < 2 or chance.chances(0.5):
        return []
    return chance.sample([answer, *chance.sample(others, min(3, len(others)))], 1 + min(3, len(others)))


def stands_whole(text: str, begin: int, end: int) -> bool:
    """Return whether a stretch of a sentence is whole tokens and no part of a longer name, number, quotation, formula or address."""
    before, after = text[:begin].rpartition(" ")[2], text[end:].partition(" ")[0]
    if before.strip("(") or after.strip(",;:.)"):
        return False
    last, following = (text[:begin].split() or [""])[-1], (text[end + len(after) :].split() or [""])[0]
    near = [last] + ([following] if not after else [])
    if any(_OPERATOR.fullmatch(word.strip(",;:.()")) for word in near):
        return False
    if text[begin].isdigit() and any(word.strip(",;:.()")[:1].isdigit() for word in near):
        return False
    is_led = last[:1].isupper() and not (text[:begin].strip() == last and last.casefold() in _OPENERS)
    if text[begin].isupper() and (is_led or (not after and following[:1].isupper())):
        return False
    return not any(found.start() <= begin and end <= found.end() for found in _QUOTED.finditer(text))


def _sentences(passage: str) -> list[str]:
    """Return the whole sentences of a passage: none that an abbreviation begins or ends, and none with half a quotation."""
    return [
        found[0]
        for found in _SENTENCE.finditer(passage)
        if not _ABBREVIATION.search(found[0])
        and not _ABBREVIATION.search(passage[max(0, found.start() - 12) : found.start()])
        and found[0].count('"') % 2 == 0
        and found[0].count("“") == found[0].count("”")
    ]


def _gaps(passage: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield what may be left out of sentences, and the exercise that it makes."""
    for sentence in _sentences(passage):
        for match in (match for pattern in patterns for match in pattern.finditer(sentence)):
            if sentence.count(match[0]) == 1 and stands_whole(sentence, *match.span()):
                gap = sentence[: match.start()] + _GAP + sentence[match.end() :]
                yield match[0], {"answer": match[0], "evidence": sentence, "gap": gap}


def _clozes(passage: str) -> Iterator[Mapping[str, str]]:
    often = Counter(_WORD.findall(passage))
    yield from (made for word, made in _gaps(passage, (_NAME, _WORD)) if word[0].isupper() or often[word] > 1)


def _definitions(passage: str) -> Iterator[Mapping[str, str]]:
    for sentence in _sentences(passage):
        found = _DEFINITION.match(sentence)
        if found is not None and not _NO_SUBJECT & set(found["subject"].casefold().split()):
            subject = found["subject"]
            small = subject[:1].lower() + subject[1:]
            plain = small if subject.split()[0] in ("A", "An", "The") or re.search(rf"\b{small}\b", passage) else subject
            yield {"subject": plain, "verb": found["verb"], "answer": sentence, "evidence": sentence}


def _numbers(passage: str) -> Iterator[Mapping[str, str]]:
    yield from (made for _, made in _gaps(passage, (_NUMBER,)) if len(made["evidence"].split()) > 5)


def _cells(passage: str) -> Iterator[Mapping[str, str]]:
    lines = passage.split("\n")
    for at in range(1, len(lines) - 1):
        if _RULE.match(lines[at]) and "|" in lines[at - 1]:
            head = _row(lines[at - 1])
            rows = [line for line in lines[at + 1 :] if line.count("|") >= len(head) - 1 and "|" in line]
            firsts = Counter(_row(line)[0] for line in rows)
            for line in rows:
                first, *rest = _row(line)
                for column, cell in zip(head[1:], rest, strict=False):
                    if cell and column and first and firsts[first] == 1:
                        yield {"row": first, "column": column, "answer": cell, "evidence": line}


def _row(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


_RULES = {"cloze": _clozes, "definition": _definitions, "number": _numbers, "table": _cells}
