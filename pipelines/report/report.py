"""The report: OUT/report.html, one file that presents a run: its funnel, rules, sources, signals, duplicates and samples.

The page is static and self-contained: no script, no request, and no style except its own, which its content security policy names by hash.
The template engine escapes all text from a crawl, isolates its direction of writing, and truncates it; a URL is a link only if its scheme
is http or https.

Invariant: the report is a function of the files in OUT; its only times are those of run.json.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

import polars as pl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from curation.errors import UsageError
from curation.storage.contents import digest_at, keep_edited, read_contents, rewrite_entry
from curation.storage.digests import code_digest
from curation.storage.location import Location
from curation.storage.ownership import MADE_BY, claim, write_ours
from curation.storage.records import CorruptRecord, find_record
from pipelines.inspect.flows import Flow, Funnel
from pipelines.inspect.funnel import funnel
from pipelines.inspect.histogram import Bin
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.rules import RecipeRule, read_rules
from pipelines.inspect.run_folder import ShardPlace, checked_folder, places, scan_ledger, scan_measured, scan_rows
from pipelines.inspect.samples import Sample, SampleQuery, take_samples
from pipelines.inspect.sources import SHOWN, largest_flows
from pipelines.inspect.views import SignalSummary, signals_in, summarise
from pipelines.report import charts
from pipelines.report.notes import notes_of
from pipelines.terminal.wording import compact, dropped_side, loss_in_words, number, readable, size

_CONTROLS = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
"""Characters that the page never contains: they would move a terminal's cursor or change the direction of writing."""
REPORT = "report.html"
_HEAD = 1 << 10
"""The number of leading bytes of a report that contain its generator tag."""
_KEPT_SAMPLES = 9
_SYNTHETIC_SAMPLES = 6
_NEAR = 3
_CLUSTERS = 10
_EXCERPT = 420
_SIMILARITIES = 20


Origin = Literal["web", "synthetic"]
COUNTED_ORIGINS: tuple[Origin, ...] = ("web", "synthetic")
"""Web documents and generated rows are counted separately everywhere: they come from different places and fail different rules."""


@dataclass(frozen=True)
class SignalCard:
    """A signal of the recipe's rules with its chart; a constant signal has no chart."""

    summary: SignalSummary
    chart: Markup | None
    dropped: int


@dataclass(frozen=True)
class ClusterLine:
    """A large cluster: the id of the kept document, and the number of duplicates that were dropped for it."""

    stayed: str
    url: str | None
    source: str
    went: int
    similarity: float | None


@dataclass(frozen=True)
class Typical:
    """A typical document that a rule dropped: the median of the deciding values, and the id of one dropped document."""

    value: float | None
    example: str


def report_of(folder: str, tell: Callable[[str], None]) -> str:
    """Return the path of a run's report; write it again unless this code wrote it and the run has not changed since."""
    out = Location.of(folder)
    return str(out / REPORT) if _is_current(out) else write_report(folder, tell)


def _is_current(out: Location) -> bool:
    """Return whether the run is unchanged since the report was written: a run deletes contents.json before it changes anything."""
    try:
        contents = read_contents(out)
    except CorruptRecord:
        return False
    if contents is None or REPORT not in contents.files or digest_at(out / REPORT) != contents.files[REPORT]:
        return False
    with (out / REPORT).open_stream() as stream:
        return _written_by().encode() in stream.read(_HEAD)


def _written_by() -> str:
    """Return the HTML tag that identifies the code that wrote a report."""
    return f'<meta name="generator" content="{MADE_BY} {code_digest()}">'


@looks_at_runs()
def write_report(folder: str, tell: Callable[[str], None]) -> str:
    """Write the report of a run and return its path; `tell` hears of an edited one, which is moved aside.

    Raises UsageError when the folder is not a run, and Refused when another program owns the folder or its report.html.
    """
    out = checked_folder(folder)
    claim(out)
    place = out / REPORT
    keep_edited(out, [REPORT], tell)
    write_ours(place, _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", render(out)).encode("utf-8", "backslashreplace"))
    with suppress(CorruptRecord):  # a damaged contents.json stays damaged, so that `verify` reports it
        rewrite_entry(out, place.name)
    return str(place)


def render(out: Location) -> str:
    """Return the report as HTML."""
    found = places(out)
    counted = funnel(str(out))
    templates = files("pipelines") / "templates"
    style = (templates / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(number=number, compact=compact, size=size, text=_text, percent=_percent, count_of=_count_of, name=_name)
    environment.globals.update(share_bar=charts.share_bar, is_link=_is_link, loss_in_words=loss_in_words)
    rules = read_rules(out)
    origin: Origin = "synthetic" if counted.is_generated else "web"
    cards = _signal_cards(rules.rules, [place for place in found if place.origin == origin], counted.main)
    samples = _samples(found, cards, counted)
    similarities = similarities_of(out)
    return environment.from_string((templates / "report.html").read_text("utf-8")).render(
        written_by=Markup(_written_by()),
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        title=_title(out),
        description=rules.description,
        funnel=counted,
        notes=notes_of(counted),
        sources=largest_flows(counted.sources),
        alarms=counted.alarms[:SHOWN],
        other_alarms=len(counted.alarms) - SHOWN,
        picture=charts.funnel_charts(charts.funnel_levels(counted)),
        typical={origin: _typical(out, origin) for origin in COUNTED_ORIGINS},
        cards=cards,
        counted_as="generated rows" if counted.is_generated else "documents",
        measured="documents from the web" if origin == "web" else "generated rows",
        similarities=charts.histogram_chart("similarity", similarities, (), "duplicate") if similarities else None,
        clusters=clusters_of(out),
        kept=samples.get("kept"),
        near=_near(cards, samples),
        made=samples.get("made"),
        recipe=rules.text,
        session=session_of(out),
    )


def _signal_cards(rules: Sequence[RecipeRule], found: Sequence[ShardPlace], flow: Flow) -> list[SignalCard]:
    """Return a card for each signal that a rule uses, in recipe order; `found` and `flow` have the same origin."""
    try:
        known = signals_in(found)
    except UsageError:
        return []  # the recipe has no filters, or their signals were deleted: the report has no signals
    dropped = {step.rule: step.taken.documents for step in flow.steps}
    signals = list(dict.fromkeys(rule.signal for rule in rules if rule.signal in known))
    table = scan_measured(found, ["fate", "rule"], signals)
    cards = []
    for signal in signals:
        on_it = [rule for rule in rules if rule.signal == signal]
        summary = summarise(signal, known[signal], [table.rename({signal: "value"})], on_it)
        chart: Markup | None
        if summary.quantiles and summary.quantiles[0].value == summary.quantiles[-1].value:
            chart = None
        elif summary.scale == "values":
            chart = charts.bars_chart(signal, [(value.value, value.documents, value.kept) for value in summary.values[:8]])
        else:
            thresholds = [rule.threshold for rule in summary.rules if rule.threshold is not None]
            chart = charts.histogram_chart(signal, summary.bins, thresholds)
        cards.append(SignalCard(summary, chart, sum(dropped.get(rule.name, 0) for rule in on_it)))
    return cards


def _samples(found: Sequence[ShardPlace], cards: Sequence[SignalCard], counted: Funnel) -> dict[str, list[Sample]]:
    """Return samples of kept documents ("kept"), of kept generated rows ("made") and, under each rule's name, of its dropped documents.

    Kept samples have the smallest keys, which amounts to a random choice. All samples are read together, so that each row group of text is
    read only once.
    """
    if not found:
        return {}
    rows = scan_rows(found)
    choices = []
    for name, origin, most in (("kept", "web", _KEPT_SAMPLES), ("made", "synthetic", _SYNTHETIC_SAMPLES)):
        kept = rows.filter(pl.col("origin") == origin, pl.col("fate") == "kept").bottom_k(most, by="key").sort("key")
        choices.append(SampleQuery(name, kept.with_columns(pl.lit(None, pl.Float64).alias("value")), _EXCERPT))
    origin = "synthetic" if counted.is_generated else "web"
    took = {step.rule for step in counted.main.steps if step.taken.documents}
    for rule in (rule for card in cards for rule in card.summary.rules):
        if rule.name in took and rule.drops:
            dropped = rows.filter(pl.col("origin") == origin, pl.col("rule") == rule.name, pl.col("value").is_finite())
            nearest = [(pl.col("value") - pl.col("threshold")).abs(), "key", "shard", "row"]  # copies of a record share its key
            choices.append(SampleQuery(rule.name, dropped.bottom_k(_NEAR, by=nearest).sort(nearest)))
    samples: dict[str, list[Sample]] = {}
    for sample in take_samples(choices, found):
        samples.setdefault(sample.where, []).append(sample)
    return samples


def _near(cards: Sequence[SignalCard], samples: Mapping[str, list[Sample]]) -> list[tuple[str, str, list[Sample]]]:
    """Return (rule, its meaning, its dropped documents nearest to the threshold) for every rule that dropped documents."""
    rules = [rule for card in cards for rule in card.summary.rules if rule.name in samples]
    return [(rule.name, dropped_side(rule.drops, rule.threshold), samples[rule.name]) for rule in rules]


def _typical(out: Location, origin: Origin = "web") -> dict[str, Typical]:
    """Return for each rule the median of the deciding values, and the dropped document with the smallest key, then id."""
    ledger = scan_ledger(out, origin).filter(pl.col("rule").is_not_null())
    median = pl.col("value").quantile(0.5, interpolation="nearest").alias("median")
    counted = ledger.group_by("rule").agg(median, pl.col("key").min()).collect(engine="streaming")
    # Ids are wide, so a second pass reads only the chosen ones: the first pass would hold the ids of all dropped documents.
    chosen = ledger.filter(pl.col("key").is_in(counted["key"].implode())).select("rule", "key", "id").collect(engine="streaming")
    examples = counted.join(chosen, on=["rule", "key"]).group_by("rule", "median").agg(pl.col("id").min())
    return {rule: Typical(value, example) for rule, value, example in examples.iter_rows()}


def similarities_of(out: Location) -> list[Bin]:
    """Return a histogram of the duplicates' similarity from 0 to 1; empty when there are no duplicates."""
    near = scan_ledger(out).filter((pl.col("fate") == "duplicate") & pl.col("similarity").is_not_null())
    place = (pl.col("similarity") * _SIMILARITIES).floor().clip(0, _SIMILARITIES - 1).cast(pl.Int64)
    counts = dict(near.group_by(place.alias("bin")).agg(pl.len()).collect(engine="streaming").iter_rows())
    if not counts:
        return []
    first = min(*counts, _SIMILARITIES // 2)
    return [Bin(at / _SIMILARITIES, (at + 1) / _SIMILARITIES, counts.get(at, 0), 0, 0) for at in range(first, _SIMILARITIES)]


def clusters_of(out: Location, most: int = _CLUSTERS) -> list[ClusterLine]:
    """Return the largest clusters of duplicates."""
    ledger = scan_ledger(out)
    named = ["duplicate_of", "duplicate_run"]
    went = ledger.filter(pl.col("duplicate_of").is_not_null()).group_by(named)
    largest = went.agg(pl.len().alias("went"), pl.col("similarity").mean()).sort("went", *named, descending=[True, False, False])
    top = largest.head(most).collect(engine="streaming")
    stayed = ledger.filter((pl.col("fate") == "kept") & pl.col("id").is_in(top["duplicate_of"].to_list()))
    facts = {row[0]: row[1:] for row in stayed.select("id", "url", "source").collect(engine="streaming").iter_rows()}
    lines = []
    for name, run, went, similarity in top.iter_rows():
        url, source = facts.get(name, (None, "")) if run is None else (None, f"earlier run {run}")
        lines.append(ClusterLine(name, url, source, went, similarity))
    return lines


def session_of(out: Location) -> Mapping[str, Any] | None:
    """Return the last session in run.json that made any unit."""
    try:
        sessions = (find_record(out / "run.json") or {}).get("sessions", [])
        working = [session for session in sessions if any(stage["made"] for stage in session.get("stages", []))]
    except (CorruptRecord, AttributeError, KeyError, TypeError):  # damaged, or of no form that we write
        return None
    return dict(working[-1]) if working else None


def _title(out: Location) -> str:
    session = session_of(out)
    return str((session or {}).get("recipe") or out.name)


def _text(value: str | None, most: int = 200) -> Markup:
    """Return untrusted text with isolated direction of writing, escaped controls and a limited length."""
    return Markup("<bdi>{}</bdi>").format(readable(value or "", most))


def _name(value: str) -> Markup:
    """Return a dotted name that may wrap after its dots and underscores."""
    return Markup("<wbr>").join(re.findall(r"[^._]*[._]?", readable(value, 200)))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count_of(count: int, one: str) -> str:
    return f"{number(count)} {one}" + ("" if count == 1 else "s")


def _is_link(url: str | None) -> bool:
    """Return whether a URL may be a link: only http and https may."""
    try:
        return urlsplit(url or "").scheme.lower() in ("http", "https")
    except ValueError:
        return False
