"""The rows that an export leaves out are a step of its card's funnel, so its numbers lead from the crawl to the exported rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.inspect.flows import Amount, Flow, Funnel, SourceFlow, Step, amount

STAGE = "mix"

LeftOut = Mapping[str, Mapping[str, tuple[int, int]]]
"""By origin and source: the number of kept rows that a mix leaves out, and the bytes of their texts."""


def sum_of(counts: Iterable[Mapping[str, Any]]) -> LeftOut:
    """Add up the rows that each file of an export left out."""
    total: dict[str, dict[str, tuple[int, int]]] = {}
    for count in counts:
        for origin, sources in count.items():
            for source, (rows, size) in sources.items():
                before = total.setdefault(origin, {}).get(source, (0, 0))
                total[origin][source] = (before[0] + rows, before[1] + size)
    return total


def mixed(funnel: Funnel, left: LeftOut) -> Funnel:
    """Return the funnel of a run with one more step: the rows that a mix leaves out."""
    if not left:
        return funnel
    synthetic = _mixed_flow(funnel.synthetic, left.get("synthetic", {})) if funnel.synthetic is not None else None
    web = left.get("web", {})
    sources = [_mixed_source(source, *web.get(source.source, (0, 0))) for source in funnel.sources]
    return replace(funnel, web=_mixed_flow(funnel.web, web), synthetic=synthetic, sources=sources)


def _mixed_flow(flow: Flow, left: Mapping[str, tuple[int, int]]) -> Flow:
    taken = amount(sum(rows for rows, _ in left.values()), sum(size for _, size in left.values()))
    if not taken.documents:
        return flow
    kept = _less(flow.kept, taken)
    came = flow.came.documents
    step = Step(STAGE, "dropped", "left out by the mix", taken, taken.documents / came, kept.documents, taken.documents)
    return replace(flow, steps=[*flow.steps, step], kept=kept, kept_share=kept.documents / came)


def _mixed_source(source: SourceFlow, rows: int, size: int) -> SourceFlow:
    kept = _less(source.kept, amount(rows, size))
    return replace(source, kept=kept, kept_share=kept.documents / source.came.documents if source.came.documents else 0.0)


def _less(whole: Amount, part: Amount) -> Amount:
    return amount(whole.documents - part.documents, whole.text_bytes - part.text_bytes)
