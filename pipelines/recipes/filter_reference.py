"""The reference of filters: what each measures and what it drops, read from the docstrings of the files and from the rules themselves.

A signal's meaning is a line of its file's docstring, indented by four spaces: `name  meaning`. The name may be several names separated by
commas, a range `first .. last`, or `all others` for the rest. Lines that are indented further continue the meaning. `curate filters
--reference` prints this reference; `filters/README.md` holds the same text, and a test compares the two.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import polars as pl
import pyarrow as pa

from filters.contract import Filter, Rule, shipped_filters

_NAMES = re.compile(r" {4}(all others|\w+(?: \.\. \w+)?(?:, \w+)*)(?: +(\S.*))?")
_KINDS = ((pa.types.is_boolean, "yes or no"), (pa.types.is_integer, "whole number"), (pa.types.is_floating, "number"))


@dataclass(frozen=True)
class SignalReference:
    """A signal: its name in the signals table, its type in words, and its meaning with its unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class RuleReference:
    """A rule: its name in the ledger, and the condition under which it drops a document, with default thresholds."""

    name: str
    drops: str


@dataclass(frozen=True)
class FilterReference:
    """A filter: the question it asks, the source of its method, its signals and its rules in order."""

    name: str
    asks: str
    source: str
    signals: tuple[SignalReference, ...]
    rules: tuple[RuleReference, ...]


def filter_references() -> list[FilterReference]:
    """Return the references of all shipped filters, sorted by name."""
    return [_reference(name, kind) for name, kind in shipped_filters().items()]


def filter_reference() -> str:
    """Return the whole reference as Markdown."""
    found = filter_references()
    index = ["| filter | asks |", "|---|---|", *(f"| [`{each.name}`](#{each.name}) | {_cell(each.asks)} |" for each in found)]
    return "\n\n".join([_OPENING, "\n".join(index), *(_markdown(each) for each in found)]) + "\n"


def signal_meanings(kind: type[Filter]) -> Mapping[str, str]:
    """Return the meaning of each signal from the docstring of the filter's file."""
    known = list(kind.signal_types)
    found: dict[str, str] = {}
    current: list[str] = []
    for line in _docstring(kind).splitlines():
        match = _NAMES.fullmatch(line)
        names = _named(match[1], known, found) if match else []
        if match and names:
            current = names
            found.update(dict.fromkeys(names, match[2] or ""))
        elif line.startswith(" " * 5):
            found.update({name: f"{found[name]} {line.strip()}".strip() for name in current})
        else:
            current = []
    return found


def _named(names: str, known: list[str], found: Mapping[str, str]) -> list[str]:
    """Return the signals that a line of a docstring names; empty when the line names none."""
    if names == "all others":
        return [name for name in known if name not in found]
    first, _, last = names.partition(" .. ")
    if last:
        return known[known.index(first) : known.index(last) + 1] if {first, last} <= set(known) else []
    each = names.split(", ")
    return each if set(each) <= set(known) else []


def _reference(name: str, kind: type[Filter]) -> FilterReference:
    asks, *paragraphs = _docstring(kind).split("\n\n")
    source = next((" ".join(text.split()) for text in paragraphs if text.startswith("Source")), "")
    meanings = signal_meanings(kind)
    signals = tuple(SignalReference(f"{name}.{each}", _type(of), meanings.get(each, "")) for each, of in kind.signal_types.items())
    rules = tuple(RuleReference(f"{name}.{reason}", _drops(rule)) for reason, rule in kind().rules().items())
    return FilterReference(name, " ".join(asks.split()), source, signals, rules)


def _docstring(kind: type[Filter]) -> str:
    return (inspect.getmodule(kind).__doc__ or "").strip()


def _type(kind: pa.DataType) -> str:
    return next((words for holds, words in _KINDS if holds(kind)), "text")


def _drops(rule: Rule) -> str:
    """Say when a rule drops a document: by its threshold, or by its expression when it has no threshold."""
    if rule.side is None:
        return f"`{_expression(rule)}`"
    sign = "<" if rule.side == "below" else ">"
    if isinstance(rule.threshold, pl.Expr):
        return f"`{rule.signal} {sign}` the threshold of its {rule.bounds.signal if rule.bounds is not None else 'own'}"
    return f"`{rule.signal} {sign} {rule.threshold:,.15g}`"


def _expression(rule: Rule) -> str:
    """Return a rule without a threshold as a readable expression."""
    text = str(rule.drops).strip("[]")
    text = re.sub(r'col\("(\w+)"\)', r"\1", text)
    text = re.sub(r"dyn \w+: ", "", text).replace("(", "").replace(")", "").replace("[[", "[").replace("]]", "]")
    text = re.sub(r"(\w+)\.is_in(\[.*\])\.not", r"\1 not in \2", text)
    return re.sub(r"(\w+)\.is_in(\[.*\])", r"\1 in \2", text)


def _markdown(each: FilterReference) -> str:
    parts = [f"## {each.name}", each.asks]
    if each.source:
        parts.append(each.source)
    parts.append(f'In full: [`{each.name}.py`]({each.name}.py). In a recipe: `[[filter]]`, `name = "{each.name}"`.')
    rows = []
    for (kind, meaning), alike in groupby(each.signals, lambda signal: (signal.type, signal.meaning)):
        names = ", ".join(f"`{signal.name.partition('.')[2]}`" for signal in alike)
        rows.append(f"| {names} | {kind} | {_cell(meaning)} |")
    parts.append("\n".join(["| signal | type | meaning |", "|---|---|---|", *rows]))
    rules = [f"| `{rule.name.partition('.')[2]}` | {_cell(rule.drops)} |" for rule in each.rules]
    parts.append("\n".join(["| rule | drops a document where |", "|---|---|", *rules]) if rules else "No rule is on by default.")
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_OPENING = """# Filters

Filters judge documents; each filter is one file. A filter measures named signals of a text and, separately, applies named rules to them.
`curate filters --reference` writes this page from the code. `curate filters NAME` shows one filter with its parameters, and
[the reference of recipes](../pipelines/recipes/README.md) lists the parameters of all filters. The thresholds below are defaults, which a
recipe can change.

`contract.py` defines what a filter is, `measure.py` and `judge.py` run filters, and every other file is a filter. A threshold's default
is the value of a field of the filter's class; the thresholds that all readings of Gopher's rules share are in `gopher_readings.py`.
`support/` holds what filters share, and `models/` holds the model that comes with the project.

**To add a filter**, write one file with a frozen dataclass that extends `contract.Filter` and defines `signals` and `rules`. No list needs
an edit. The file's docstring names the source and describes each signal in a line of its own, `name  meaning`, indented by four spaces.
Give `examples`: the contract tests run them, together with empty, very long and malformed texts. A filter of your own can be
anywhere: `[[filter]]` with `file = "shouting.py"` and `max_marks = 1` uses this one.

```python
\"\"\"Drops texts that shout.\"\"\"

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.contract import Filter, Threshold, above


@dataclass(frozen=True)
class Shouting(Filter):
    \"\"\"max_marks: the most exclamation marks a text may have.\"\"\"

    max_marks: Threshold[int] = 3
    signal_types = {"marks": pa.int64()}

    def signals(self, text, documents):
        return {"marks": np.array([text.string(i).count("!") for i in range(len(text))])}

    def rules(self):
        return {"shouts": above("marks", self.max_marks)}
```

**Signals and rules are separate**, so that a new threshold judges the stored signals again in seconds and reads no text twice. A signal
that could not be measured is null, and a null fails no rule. A rule knows its signal and its threshold, so the ledger can name both."""
