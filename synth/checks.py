"""The named checks of sheets compare a reply with its passage, or with itself, without another model.

A sheet lists each check as words: `"quotes evidence 4"` is the check `quotes` with a field and a number. Checks compare the reply's own
words: all fields except those that `quotes` names. Every check is a necessary condition and takes time linear in reply and passage.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.choices import nearest
from curation.errors import RecipeError
from synth import grounding
from synth.accounted import require_accounted
from synth.arithmetic import numbers
from synth.solution import require_computed
from synth.task import Rejected

CHECKS_VERSION = 1
_SOURCE_TALK = ("the passage", "the text above", "the author", "this article", "according to the text", "the excerpt")
_WORD = re.compile(r"\w+")
_COMMON = 40
_LEAST_COMMON = 0.08
_LONGEST_KEY = 1.8


@dataclass(frozen=True)
class Said:
    """A reply to check: its fields, the names of the fields in its own words, and the passage ("" if there is none)."""

    fields: Mapping[str, Any]
    own: Sequence[str]
    passage: str

    def texts(self, names: Sequence[str] = ()) -> list[str]:
        """Return the texts of some fields, or without names of all fields in the reply's own words."""
        return [text for name in names or self.own for text in self.entries(name)]

    def entries(self, name: str) -> Sequence[str]:
        """Return a field as a list."""
        value = self.fields[name]
        return (value,) if isinstance(value, str) else value


@dataclass(frozen=True)
class Check:
    """A check as a sheet lists it: its name, its fields and its numbers."""

    name: str
    fields: tuple[str, ...]
    limits: tuple[float, ...]

    def require(self, said: Said) -> None:
        """Raise Rejected unless the reply passes."""
        FIELD_CHECKS[self.name].require(said, self.fields, self.limits)


@dataclass(frozen=True)
class CheckKind:
    """A kind of check: its function, the rules that it may name, and how many fields (None: any number) and numbers it takes."""

    require: Callable[[Said, Sequence[str], Sequence[float]], None]
    rules: tuple[str, ...]
    fields: int | None
    limits: int
    needs_passage: bool = False


def read_check(said: str, where: str, schema: Mapping[str, str], has_passage: bool) -> Check:
    """Parse a check as a sheet lists it. Raises RecipeError if it has a fault."""
    name, *words = said.split() or [""]
    kind = FIELD_CHECKS.get(name)
    if kind is None:
        raise RecipeError(f"{where}: there is no check {name!r}{nearest(name, FIELD_CHECKS)}")
    fields = tuple(word for word in words if not re.fullmatch(r"\d+(?:\.\d+)?", word))
    limits = tuple(float(word) for word in words if word not in fields)
    for field in fields:
        if field not in schema:
            raise RecipeError(f"{where}: check {said!r} names a field that [schema] does not have: {field!r}{nearest(field, schema)}")
    if len(limits) != kind.limits or (kind.fields is not None and len(fields) != kind.fields):
        many = "any fields" if kind.fields is None else f"{kind.fields} of the fields"
        raise RecipeError(f"{where}: check {said!r}: {name} takes {many} and {kind.limits} numbers")
    if kind.needs_passage and not has_passage:
        raise RecipeError(f"{where}: check {said!r} compares with a passage, and the task has none (passage = 0)")
    return Check(name, fields, limits)


def require_all(checks: Sequence[Check], fields: Mapping[str, Any], passage: str) -> None:
    """Raise Rejected with the first rule that a reply violates."""
    quoted = {name for check in checks if check.name == "quotes" for name in check.fields}
    said = Said(fields, [name for name in fields if name not in quoted], passage)
    for check in checks:
        check.require(said)


def _quotes(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    grounding.require_quoted(said.texts(fields), said.passage, int(limits[0]))


def _numbers(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    grounding.require_known_numbers(said.texts(fields), said.passage)


def _names(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    quoted = [text for name in said.fields if name not in said.own for text in said.entries(name)]
    grounding.require_known_names(said.texts(fields), quoted, said.passage)


def _bearing(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    """Require that the first field shares words with the quotation (or the passage), and each later field with it or an earlier field."""
    quoted = [text for name in said.fields if name not in said.own for text in said.entries(name)]
    grounding.require_bearing([(name, " ".join(said.entries(name))) for name in fields], " ".join(quoted), said.passage)


def _own_words(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    grounding.require_own_words(said.texts(fields), said.passage, limits[0])


def _covers(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    share, missing = recall(" ".join(said.texts(fields)), said.passage)
    if share < limits[0]:
        raise Rejected("low_recall", {"share": round(share, 4), "at_least": limits[0], "missing": missing[:10]})


def recall(text: str, passage: str) -> tuple[float, list[str]]:
    """Return the share of a passage's numbers and most frequent longer words that a text contains, and the missing ones."""
    words = Counter(word.casefold() for word in _WORD.findall(passage) if len(word) > 4)
    wanted = {*numbers(passage), *(word for word, _ in words.most_common(_COMMON))}
    missing = wanted - {*numbers(text), *(word.casefold() for word in _WORD.findall(text))}
    return 1 - len(missing) / max(1, len(wanted)), sorted(missing)


def _length(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    for name in fields:
        count = sum(len(text.split()) for text in said.entries(name))
        if not limits[0] <= count <= limits[1]:
            raise Rejected("length", {"field": name, "words": count, "limits": list(limits)})


def _entries(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    """Require that each field lists different entries, and that their number is within the limits."""
    for name in fields:
        folded = [" ".join(_WORD.findall(text.casefold())) for text in said.entries(name)]
        if not limits[0] <= len(folded) <= limits[1] or len(set(folded)) < len(folded):
            raise Rejected("entries", {"field": name, "entries": len(folded), "different": len(set(folded)), "limits": list(limits)})


def _paired(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    counts = [len(said.entries(name)) for name in fields]
    if len(set(counts)) > 1:
        raise Rejected("entries", {"fields": list(fields), "entries": counts})


def _keyed(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    """Require that exactly one option is the key, and that its length does not reveal it."""
    options, key = said.entries(fields[0]), said.entries(fields[1])[0]
    if list(options).count(key) != 1:
        raise Rejected("no_key", {"key": key, "options": list(options)})
    others = [len(option) for option in options if option != key]
    if others and len(key) > 20 and len(key) > _LONGEST_KEY * max(others):
        raise Rejected("length_bias", {"key": key})


def _table(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    """Require a Markdown table: a header, a separator and rows, all with the same number of cells."""
    for text in said.texts(fields):
        rows = [line.strip() for line in text.splitlines() if line.strip()]
        cells = {row.strip("|").count("|") for row in rows}
        if len(rows) < limits[0] + 2 or len(cells) != 1 or cells == {0} or not re.fullmatch(r"[\s|:-]+", rows[1]):
            raise Rejected("ragged_table", {"rows": len(rows), "cells": sorted(count + 1 for count in cells)})


def _computed(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    """Require that the equations of the steps hold, that every number comes from the problem or a step, and that they reach the answer."""
    problem, steps, answer = ("\n".join(said.entries(name)) for name in fields)
    require_computed(problem, steps, answer)
    require_accounted(problem, steps, answer)


def _turns(said: Said, fields: Sequence[str], limits: Sequence[float]) -> None:
    """Require that student and tutor take turns, and that the tutor does not reveal the answer in the first half."""
    turns, answer = said.entries(fields[0]), said.entries(fields[1])[0]
    if len(turns) % 2 or not limits[0] <= len(turns) <= limits[1]:
        raise Rejected("entries", {"field": fields[0], "entries": len(turns), "limits": list(limits)})
    wanted = _folded(answer)
    early = [turn for turn in turns[1 : len(turns) // 2 : 2] if wanted and wanted in _folded(turn)]
    if early:
        raise Rejected("revealed_early", {"answer": answer, "turn": early[0][:200]})
    shared = set(wanted.split()) & set(_folded(" ".join(turns[-2:])).split())
    if 2 * len(shared) < len(set(wanted.split())):
        raise Rejected("wrong_final", {"answer": answer, "last": turns[-1][:200]})


def _language(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    """Require that a longer text uses the passage's most frequent words, which are those of its language."""
    common = {word for word, _ in Counter(_WORD.findall(said.passage.casefold())).most_common(_COMMON)}
    words = _WORD.findall(" ".join(said.texts(fields)).casefold())
    share = sum(word in common for word in words) / len(words) if len(words) >= _COMMON else 1.0
    if share < _LEAST_COMMON:
        raise Rejected("other_language", {"share of the passage's words": round(share, 4), "at_least": _LEAST_COMMON})


def _no_source_talk(said: Said, fields: Sequence[str], _: Sequence[float]) -> None:
    text = " ".join(said.texts(fields)).casefold()
    for phrase in _SOURCE_TALK:
        if phrase in text:
            raise Rejected("leaks_source", {"matched": phrase})


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


FIELD_CHECKS: Mapping[str, CheckKind] = {
    "quotes": CheckKind(_quotes, ("ungrounded",), None, 1, True),
    "numbers": CheckKind(_numbers, ("ungrounded_number",), None, 0, True),
    "names": CheckKind(_names, ("ungrounded_name",), None, 0, True),
    "bearing": CheckKind(_bearing, ("unsupported",), None, 0, True),
    "own_words": CheckKind(_own_words, ("near_copy",), None, 1, True),
    "covers": CheckKind(_covers, ("low_recall",), None, 1, True),
    "language": CheckKind(_language, ("other_language",), None, 0, True),
    "no_source_talk": CheckKind(_no_source_talk, ("leaks_source",), None, 0),
    "length": CheckKind(_length, ("length",), None, 2),
    "entries": CheckKind(_entries, ("entries",), None, 2),
    "paired": CheckKind(_paired, ("entries",), 2, 0),
    "keyed": CheckKind(_keyed, ("no_key", "length_bias"), 2, 0),
    "table": CheckKind(_table, ("ragged_table",), None, 1),
    "computed": CheckKind(_computed, ("wrong_step", "unchecked", "unsupported_answer", "unaccounted_number"), 3, 0),
    "turns": CheckKind(_turns, ("entries", "revealed_early", "wrong_final"), 2, 2),
}
"""Every check that a sheet may list, by name."""
