"""Charts as static SVG markup: no script, no style attribute, no request.

The markup is built with markupsafe, which escapes every value, so that labels are always plain text. Colours are CSS classes of the page,
so charts follow its light and dark modes. Every chart has a title and a description for screen readers, and every bar has its own title.

The height of a histogram's bar is the square root of its count, so that a bin with one document in a hundred stays visible.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from curation.counting import counted
from pipelines.inspect.flows import Flow, Funnel
from pipelines.inspect.histogram import Bin
from pipelines.terminal.wording import compact, number


@dataclass(frozen=True)
class FunnelLevel:
    """A level of the funnel: the documents left after a step and those it removed; `kind` is the CSS class of the removed part."""

    label: str
    left: int
    taken: int
    kind: str


def funnel_levels(funnel: Funnel) -> list[FunnelLevel]:
    """Return the levels of the funnel: the records, ingest, each filter with all its rules, and deduplication."""
    if funnel.is_generated:
        return [FunnelLevel("generated rows", funnel.main.came.documents, 0, "ignored"), *_levels(funnel.main)]
    levels = [FunnelLevel("records read", funnel.records, 0, "ignored")]
    if funnel.ignored:
        levels.append(FunnelLevel("documents", funnel.web.came.documents, sum(funnel.ignored.values()), "ignored"))
    return levels + _levels(funnel.web)


class FunnelShape(NamedTuple):
    """Where a funnel has its bars: its CSS class; widths in all, and beside the bars; the height of a level, and of its label."""

    kind: str
    width: int
    left: int
    right: int
    row: int
    above: int


WIDE = FunnelShape("funnel", 960, 210, 190, 40, 0)
NARROW = FunnelShape("funnel narrow", 360, 0, 120, 56, 22)
"""On a phone the label stands above its bar; style sheets show one of the two."""


Address = Callable[[FunnelLevel], str]
"""Returns the address of the page that shows the documents of a level."""


def funnel_charts(levels: Sequence[FunnelLevel], address: Address | None = None) -> Markup:
    """Draw the funnel for a wide and for a narrow page; with addresses, each level is a link."""
    return funnel_chart(levels, WIDE, address) + funnel_chart(levels, NARROW, address)


def funnel_chart(levels: Sequence[FunnelLevel], shape: FunnelShape, address: Address | None = None) -> Markup:
    """Draw the levels from top to bottom: a bar for the documents left, extended by the documents that the step removed."""
    bar, room = 24, shape.width - shape.left - shape.right
    most = max((level.left + level.taken for level in levels), default=0) or 1
    parts = []
    for place, level in enumerate(levels):
        top = 8 + place * shape.row
        y = top + shape.above
        stays, goes = room * level.left / most, room * level.taken / most
        last = place == len(levels) - 1
        said = f"{level.label}: {number(level.left)} left, {number(level.taken)} removed"
        begin = Markup("<g>") if address is None else Markup('<a href="{}">').format(address(level))
        label = Markup('{}<title>{}</title><text x="{}" y="{}" class="label{}">{}</text>')
        at = (0, top + 15, "") if shape.above else (shape.left - 14, y + 17, " end")
        parts.append(label.format(begin, said, *at, level.label))
        parts.append(_rect(shape.left, y, max(stays, 1 if level.left else 0), bar, "kept" if last else "stays"))
        if level.taken:
            parts.append(_rect(shape.left + stays, y, max(goes, 1.5), bar, level.kind))
        text = shape.left + stays + goes + 10
        parts.append(Markup('<text x="{}" y="{}" class="figure">{}</text>').format(_at(text), y + 17, number(level.left)))
        if level.taken:
            shift = 9 * len(number(level.left)) + 12
            taken = f"−{number(level.taken)}"
            parts.append(Markup('<text x="{}" y="{}" class="figure {}-ink">{}</text>').format(_at(text + shift), y + 17, level.kind, taken))
        parts.append(Markup("</g>" if address is None else "</a>"))
    about = "; ".join(f"{level.label} {number(level.left)}" for level in levels)
    role = "img" if address is None else "group"  # a picture has no links for those who cannot see it
    title = "From the records read to the documents kept"
    return _svg(shape.kind, shape.width, 12 + shape.row * len(levels), title, about, parts, role)


def histogram_chart(name: str, bins: Sequence[Bin], thresholds: Sequence[float], rest: str = "elsewhere") -> Markup:
    """Draw a histogram whose bars are split into kept, dropped by a rule on this signal, and the rest (in the colour of `rest`)."""
    width, height, left, top, floor = 340, 176, 38, 24, 148
    right = width - 18
    room = (right - left) / max(len(bins), 1)
    most = max((entry.documents for entry in bins), default=0) or 1
    parts = []
    for count in _grid_counts(most):
        y = floor - (floor - top) * math.sqrt(count / most)
        line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" class="grid"/><text x="{}" y="{}" class="tick end">{}</text>')
        parts.append(line.format(left, right, _at(y), _at(y), left - 6, _at(y + 4), compact(count)))
    for place, entry in enumerate(bins):
        if not entry.documents:
            continue
        high = (floor - top) * math.sqrt(entry.documents / most)
        others = entry.documents - entry.kept - entry.dropped_here
        x, y = left + place * room + 0.5, float(floor)
        dropped_here = f"{number(entry.dropped_here)} dropped by its rules"
        split = (f"{number(entry.kept)} kept", dropped_here, f"{number(others)} removed for another reason")
        said = f"{number(entry.low)} to {number(entry.high)}: {', '.join(split)}"
        parts.append(Markup("<g><title>{}</title>").format(said))
        for kind, count in (("kept", entry.kept), (rest, others), ("dropped", entry.dropped_here)):
            share = high * count / entry.documents
            y -= share
            if count:
                parts.append(_rect(x, y, max(room - 1, 1), share, kind))
        parts.append(Markup("</g>"))
    edges = [*(entry.low for entry in bins), *(entry.high for entry in bins[-1:])]
    for place in _tick_places(len(bins)) if bins else ():
        value = edges[place]
        parts.append(
            Markup('<text x="{}" y="{}" class="tick middle">{}</text>').format(_at(left + place * room), floor + 18, compact(value))
        )
    parts.append(Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" class="axis"/>').format(left, right, floor, floor))
    for threshold in thresholds:
        within = _place_in(bins, threshold)
        if within is None:
            continue
        x = left + within * room
        side = "end" if x > width / 2 else "start"
        label = Markup(
            '<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" class="threshold"/><text x="{3}" y="{4}" class="threshold-ink {5}">{6}</text>'
        )
        parts.append(label.format(_at(x), top - 8, floor, _at(x + (-5 if side == "end" else 5)), top - 2, side, number(threshold)))
    kept, all_ = sum(entry.kept for entry in bins), sum(entry.documents for entry in bins)
    spread = f"{counted(all_, 'document')} in {counted(len(bins), 'bin')}, {number(kept)} kept"
    about = f"{spread}; thresholds: {', '.join(map(number, thresholds)) or 'none'}"
    return _svg("histogram", width, height, f"Histogram of {name}", about, parts)


def bars_chart(name: str, rows: Sequence[tuple[str, int, int]]) -> Markup:
    """Draw (label, documents, kept) rows, such as the values of a text signal, as horizontal bars."""
    width, left, row = 340, 84, 22
    most = max((documents for _, documents, _ in rows), default=0) or 1
    parts = []
    for place, (label, documents, kept) in enumerate(rows):
        y = 6 + place * row
        whole = (width - left - 56) * math.sqrt(documents / most)
        said = f"{label}: {counted(documents, 'document')}, {number(kept)} kept"
        parts.append(
            Markup('<g><title>{}</title><text x="{}" y="{}" class="tick end">{}</text>').format(said, left - 8, y + 12, label[:12])
        )
        parts.append(_rect(left, y, whole * kept / documents, 15, "kept"))
        parts.append(_rect(left + whole * kept / documents, y, whole * (documents - kept) / documents, 15, "elsewhere"))
        parts.append(Markup('<text x="{}" y="{}" class="tick">{}</text></g>').format(_at(left + whole + 6), y + 12, number(documents)))
    about = "; ".join(f"{label} {number(documents)}" for label, documents, _ in rows)
    return _svg("bars", width, 12 + row * len(rows), f"Documents by {name}", about, parts)


def share_bar(share: float, kind: str = "kept") -> Markup:
    """Draw a share as a small bar for a table's cell; another cell holds the number."""
    bar = Markup('<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}{}</svg>')
    return bar.format(_rect(0, 0, 100, 8, "track"), _rect(0, 0, 100 * min(max(share, 0.0), 1.0), 8, kind))


def _levels(flow: Flow) -> list[FunnelLevel]:
    taken: dict[str, tuple[int, str]] = {}
    for step in flow.steps:
        if step.stage == "judge":
            label, kind = step.rule.partition(".")[0], "dropped"
        elif step.stage == "deduplicate":
            label, kind = "deduplicate", "duplicate"
        else:
            label, kind = step.stage, "unreadable"
        taken[label] = (taken.get(label, (0, kind))[0] + step.taken.documents, kind)
    levels, left = [], flow.came.documents
    for label, (count, kind) in taken.items():
        left -= count
        levels.append(FunnelLevel(label, left, count, kind))
    return [*levels, FunnelLevel("kept", flow.kept.documents, 0, "kept")]


def _svg(kind: str, width: int, height: int, title: str, about: str, parts: Iterable[Markup], role: str = "img") -> Markup:
    frame = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="{}" aria-label="{}"><desc>{}</desc>{}</svg>')
    return frame.format(kind, width, height, role, title, about, Markup("").join(parts))


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    shape = Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>')
    return shape.format(_at(x), _at(y), _at(width), _at(height), kind)


def _at(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _grid_counts(most: int) -> list[int]:
    """Return up to four round counts for grid lines, the largest near the top."""
    counts: list[int] = []
    for share in (1.0, 0.4, 0.1, 0.02):
        target = most * share
        power = 10 ** math.floor(math.log10(target)) if target >= 1 else 0
        count = next((int(times * power) for times in (5, 2, 1) if times * power <= target), 0)
        if count and count not in counts:
            counts.append(count)
    return counts


def _tick_places(bins: int) -> list[int]:
    """Return the edges to label: about five, evenly spaced, including the first and the last."""
    step = max(1, round(bins / 4))
    places = list(range(0, bins, step))
    if places and bins - places[-1] < step / 2:
        places.pop()
    return [*places, bins]


def _place_in(bins: Sequence[Bin], value: float) -> float | None:
    """Return the position of a value, in bins from the left; None outside the bins."""
    for place, entry in enumerate(bins):
        if entry.low <= value < entry.high or (place == len(bins) - 1 and value == entry.high):
            return place + (value - entry.low) / (entry.high - entry.low)
    return None
