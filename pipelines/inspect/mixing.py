"""The rows that an export leaves out are a step of its card's funnel, so its numbers lead from the crawl to the exported rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.inspect.flows import AMOUNT, Amount, Flow, Funnel, SourceFlow, Step, sum_of_amounts

STAGE = "mix"

LeftOut = Mapping[str, Mapping[str, Amount]]
"""By origin and source: the kept rows that a mix leaves out."""


def sum_of(counts: Iterable[Mapping[str, Any]]) -> LeftOut:
    """Add up the rows that each file of an export left out."""
    total: dict[str, dict[str, Amount]] = {}
    for count in counts:
        for origin, sources in count.items():
            for source, size in sources.items():
                before = total.setdefault(origin, {}).get(source, Amount())
                total[origin][source] = sum_of_amounts([before, Amount(*size)])
    return total


def mixed(funnel: Funnel, left: LeftOut) -> Funnel:
    """Return the funnel of a run with one more step: the rows that a mix leaves out."""
    if not left:
        return funnel
    synthetic = _mixed_flow(funnel.synthetic, left.get("synthetic", {})) if funnel.synthetic is not None else None
    web = left.get("web", {})
    sources = [_mixed_source(source, web.get(source.source, Amount())) for source in funnel.sources]
    return replace(funnel, web=_mixed_flow(funnel.web, web), synthetic=synthetic, sources=sources)


def _mixed_flow(flow: Flow, left: Mapping[str, Amount]) -> Flow:
    taken = sum_of_amounts(left.values())
    if not taken.documents:
        return flow
    kept = _less(flow.kept, taken)
    came = flow.came.documents
    step = Step(STAGE, "dropped", "left out by the mix", taken, taken.documents / came, kept.documents, taken.documents)
    return replace(flow, steps=[*flow.steps, step], kept=kept, kept_share=kept.documents / came)


def _mixed_source(source: SourceFlow, taken: Amount) -> SourceFlow:
    kept = _less(source.kept, taken)
    return replace(source, kept=kept, kept_share=kept.documents / source.came.documents if source.came.documents else 0.0)


def _less(whole: Amount, part: Amount) -> Amount:
    return Amount(*(getattr(whole, name) - getattr(part, name) for name in AMOUNT))
