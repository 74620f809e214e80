"""Mixes: an export that keeps only a share of the rows of a source, or of an origin (`web`, `synthetic`), by chance of the key.

The same rows are drawn every time, and a smaller share is a part of a larger one. What a mix leaves out is a step of its card's funnel, so
that the numbers lead from the crawl to the rows that are there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import polars as pl

from curation.choices import nearest
from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.flows import Amount, Flow, Funnel, SourceFlow, Step, amount
from pipelines.inspect.run_folder import scan_ledger
from pipelines.inspect.sources import SHOWN, others_in_words

STAGE = "mix"

LeftOut = Mapping[str, Mapping[str, tuple[int, int]]]
"""By origin and source, how many kept rows a mix leaves out, and the bytes of their documents' text."""


def parse_mix(mix: Sequence[str], run: Location) -> tuple[tuple[str, float], ...]:
    """Return (source or origin, share) pairs from `NAME=SHARE`. Raises UsageError for a name that the run does not have."""
    if not mix:
        return ()
    known = _names(run)
    pairs: dict[str, float] = {}
    for entry in mix:
        name, _, share = entry.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value <= 1:
            raise UsageError(f"--mix {entry!r}: write NAME=SHARE with a share from 0 to 1, such as synthetic=0.5")
        if name not in known:
            listed = [*known[:SHOWN], others_in_words(len(known) - SHOWN)] if len(known) > SHOWN else known
            close = nearest(name, known) if get_close_matches(name, known, n=1, cutoff=0.5) else ""
            raise UsageError(f"--mix {entry!r}: no kept row has the source or origin {name!r}{close}; the run has: {', '.join(listed)}")
        if name in pairs:
            raise UsageError(f"--mix names {name!r} twice")
        pairs[name] = value
    return tuple(sorted(pairs.items()))


def _names(run: Location) -> list[str]:
    """Return the origins and sources of the rows of a run that were kept."""
    names: list[str] = []
    sources: set[str] = set()
    for origin in ("web", "synthetic"):
        kept = scan_ledger(run, origin).filter(pl.col("fate") == "kept")
        found = kept.select(pl.col("source").unique()).collect(engine="streaming")["source"].to_list()
        if found:
            names.append(origin)
            sources |= set(found)
    return [*names, *sorted(sources - set(names))]


def sum_of(counts: Iterable[Mapping[str, Any]]) -> LeftOut:
    """Add up what the files of an export say they left out."""
    total: dict[str, dict[str, tuple[int, int]]] = {}
    for count in counts:
        for origin, sources in count.items():
            for source, (rows, size) in sources.items():
                before = total.setdefault(origin, {}).get(source, (0, 0))
                total[origin][source] = (before[0] + rows, before[1] + size)
    return total


def mixed(funnel: Funnel, mix: Sequence[tuple[str, float]], left: LeftOut) -> Funnel:
    """Return a run's funnel with the mix as its last step."""
    if not mix:
        return funnel
    synthetic = _mixed_flow(funnel.synthetic, left.get("synthetic", {})) if funnel.synthetic is not None else None
    web = left.get("web", {})
    sources = [_mixed_source(source, *web.get(source.source, (0, 0))) for source in funnel.sources]
    return replace(funnel, web=_mixed_flow(funnel.web, web), synthetic=synthetic, sources=sources)


def mix_in_words(mix: Sequence[tuple[str, float]]) -> str:
    """Say what a mix keeps."""
    return ", ".join(f"{100 * share:.3g} % of {name}" for name, share in mix)


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
