"""The section of `curate plan` on filters: their costs, the documents they drop, and the gates and order that would save time.

The section only advises, because a gate has drawbacks. The documents it drops have no signals of later filters, so `curate inspect`,
`curate why` and notebooks see less of them; and its thresholds become part of measure's key, so a new threshold measures again instead of
only judging again. The kept documents are the same for any order and any gates; only the first failed rule follows the new order.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from filters.contract import FilterChoice
from pipelines.plan.filter_costs import CostLine, Trial, try_filters
from pipelines.plan.gates import Order, OrderSearch, as_it_is

LEAST_SAVING = 0.05
"""The least saving, as a share of the filters' time, for which gates are suggested."""

GATES_NOTE = (
    "Documents that a gate drops have no later signals in inspect, why and notebooks, and a new threshold of a gate measures again instead "
    "of only judging again. The kept documents stay the same."
)


@dataclass(frozen=True)
class FilterRow:
    """One filter on the sample, in recipe order.

    seconds_per_gb  core seconds per 10^9 bytes of text like the sample's (that is, ms per MB), without the shared parts
    gate            whether the recipe makes it a gate
    drops           the share of documents that its rules drop, regardless of other filters
    drops_first     the share of documents that it drops and no filter before it drops
    drops_text      the share of the text that its rules drop
    """

    filter: str
    seconds_per_gb: float
    gate: bool
    drops: float
    drops_first: float
    drops_text: float


@dataclass(frozen=True)
class SharedRow:
    """A part that several filters need and the first of them pays for: words, lines, the folded forms of words."""

    part: str
    seconds_per_gb: float
    asked_by: Sequence[str]


@dataclass(frozen=True)
class FilterPosition:
    """A filter in an order: whether it is a gate there, and the share of the text that reaches it."""

    filter: str
    gate: bool
    reached_by: float


@dataclass(frozen=True)
class Arrangement:
    """An order with its gates, and the time it takes to measure the whole input.

    seconds        core seconds of all filters and shared parts: the measure stage without its reading and writing
    saved_seconds  core seconds saved, compared with the recipe as written
    saved_share    the saved share of the recipe's seconds
    """

    order: Sequence[FilterPosition]
    seconds: float
    saved_seconds: float
    saved_share: float


@dataclass(frozen=True)
class FilterPlan:
    """Costs and drops of all filters, three arrangements, and the best one as [[filter]] tables (None when it saves too little)."""

    documents: int
    text_bytes: int
    filters: Sequence[FilterRow]
    shared: Sequence[SharedRow]
    as_it_is: Arrangement
    gates: Arrangement
    order_and_gates: Arrangement
    suggestion: str | None
    note: str


def plan_filters(choices: Sequence[FilterChoice], batches: Iterable[Any], scale: float) -> FilterPlan | None:
    """Time filters on a sample's batches and return their plan; None without filters or documents.

    `scale` is the size of the whole input divided by the size of the sample.
    """
    trial = try_filters(choices, batches) if choices else None
    if trial is None or not len(trial.text_bytes):
        return None
    search = OrderSearch(trial)
    now, own, best = as_it_is([choice.gate for choice in choices]), search.best(reorder=False), search.best()
    whole = int(trial.text_bytes.sum())
    before = search.nanoseconds(now)

    def arrangement(order: Order) -> Arrangement:
        taken = search.nanoseconds(order)
        saved = max(0, before - taken)
        reached = (text_bytes / max(1, whole) for _, text_bytes in search.reaching(order))
        places = [FilterPosition(choices[place].name, gate, round(share, 4)) for (place, gate), share in zip(order, reached, strict=True)]
        return Arrangement(places, round(taken * scale / 1e9, 3), round(saved * scale / 1e9, 3), round(saved / max(1, before), 4))

    arranged = arrangement(best)
    worthwhile = arranged.saved_share >= LEAST_SAVING
    return FilterPlan(
        documents=len(trial.text_bytes),
        text_bytes=whole,
        filters=_rows(trial, choices),
        shared=[
            SharedRow(part, _per_gb(trial, line), [cost.name for cost in trial.filters if part in cost.needs])
            for part, line in trial.parts.items()
        ],
        as_it_is=arrangement(now),
        gates=arrangement(own),
        order_and_gates=arranged,
        suggestion=as_toml([replace(choices[place], gate=gate) for place, gate in best]) if worthwhile else None,
        note=GATES_NOTE,
    )


def _rows(trial: Trial, choices: Sequence[FilterChoice]) -> list[FilterRow]:
    before = np.zeros(len(trial.text_bytes), np.bool_)
    rows = []
    for place, (choice, cost) in enumerate(zip(choices, trial.filters, strict=True)):
        dropped = trial.drops[:, place]
        first = dropped & ~before
        before |= dropped
        rows.append(
            FilterRow(
                filter=choice.name,
                seconds_per_gb=_per_gb(trial, cost.signals),
                gate=choice.gate,
                drops=round(float(dropped.mean()), 4),
                drops_first=round(float(first.mean()), 4),
                drops_text=round(float(trial.text_bytes[dropped].sum()) / max(1, int(trial.text_bytes.sum())), 4),
            )
        )
    return rows


def _per_gb(trial: Trial, line: CostLine) -> float:
    text_bytes = int(trial.text_bytes.sum())
    return round(line.of(len(trial.text_bytes), text_bytes) / max(1, text_bytes) * 1e9, 3)


def as_toml(choices: Iterable[FilterChoice]) -> str:
    """Return filters as the [[filter]] tables of a recipe, with every parameter that the recipe gives."""
    tables = []
    for choice in choices:
        place = {} if choice.file is None else {"file": choice.file}
        entries = {"name": choice.name, **place, **choice.parameters, **({"gate": True} if choice.gate else {})}
        tables.append("\n".join(["[[filter]]", *(f"{_key(name)} = {_toml(value)}" for name, value in entries.items())]))
    return "\n\n".join(tables) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """Return a value from a TOML file as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML has JSON's escapes, except for this character
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(name))} = {_toml(entry)}" for name, entry in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return str(value)
