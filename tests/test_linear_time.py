"""Whatever touches a record takes time linear in its size: hostile shapes, each doubled, and processor time measured.

Each shape makes a record of about so many bytes that has cost some library or pattern the square of its length: here, in a peer, or in
theory. Time is that of this thread, the least of three. The whole table (`-m full`) doubles each record four times, from the first size of
64 kB or more that takes longer than the noise, and asks for less than 4 s a MB, and for a growth below 2.2 of all but trifles. Neighbours
on a busy machine still slow this thread, through the memory that they share; so a shape that misses is measured again, up to five times in
all, and the least counts: what is not linear misses each time. By default small records are doubled once, and generously.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from statistics import geometric_mean, median
from typing import Any

import pyarrow as pa
import pytest

from curation.ingest.edits import edit_named
from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.resiliparse import Resiliparse
from curation.ingest.readers.http_response import BadBody, parse_response
from curation.schema import DOCUMENTS
from curation.text.text import Text
from filters.contract import Filter
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.language import Language
from filters.readability import Readability
from filters.url_rules import UrlRules
from synth.loose_json import read_object
from synth.task import Rejected
from tests.reading import read_bytes

SMALL, LARGE = 1 << 14, 1 << 15
NOISE = 0.002
"""Seconds below which a time says nothing."""

TRIFLE = 0.05
"""Seconds a MB: the largest record, of 32 MB, takes 1.6 s. Below that, caches and fresh memory decide how times grow."""


def _html(page: str) -> None:
    Resiliparse().extract(page)


def _blocks(page: str) -> None:
    Blocks().extract(page)


def _edit(name: str, **settings: Any) -> Callable[[str], None]:
    edit = edit_named(name)(**settings)

    def run(text: str) -> None:
        edit.apply(Text.from_strings([text]))

    return run


def _filter(chosen: Filter) -> Callable[[str], None]:
    def run(text: str) -> None:
        column = Text.from_strings([text])
        chosen.signals(column, {name: pa.nulls(1, DOCUMENTS.field(name).type) for name in DOCUMENTS.names})

    return run


def _url(url: str) -> None:
    facts = {name: pa.nulls(1, DOCUMENTS.field(name).type) for name in DOCUMENTS.names}
    UrlRules().signals(Text.from_strings(["x"]), {**facts, "url": pa.array([url])})


def _bytes(payload: str) -> None:
    try:
        decode_text(payload.encode("latin-1"))
    except Undecodable:
        return


def _http(block: str) -> None:
    response = parse_response(block.encode("latin-1"))
    try:
        if response is not None:
            response.body()
    except BadBody:
        return


def _jsonl(line: str) -> None:
    read_bytes("x.jsonl", line.encode() + b"\n")


def _reply(text: str) -> None:
    try:
        read_object(text)
    except Rejected:
        return


@dataclass(frozen=True)
class Shape:
    """What a record is put through, and how it is made: once `before`, `piece` over and over, once `after`."""

    run: Callable[[str], None]
    piece: str
    before: str = ""
    after: str = ""
    numbered: bool = False

    def record(self, size: int) -> str:
        """Return the record of about so many characters; `numbered` puts the number of each piece in for #."""
        count = size // len(self.piece)
        middle = "".join(self.piece.replace("#", str(number)) for number in range(count)) if self.numbered else self.piece * count
        return self.before + middle + self.after


_RESPONSE = "HTTP/1.1 200 OK\r\n"
_CHUNKED = f"{_RESPONSE}Transfer-Encoding: chunked\r\n\r\n"

SHAPES = {
    # pages
    "html: unclosed tag": Shape(_html, "<p ", "<html><body><p>some words here</p>"),
    "html: unclosed attribute": Shape(_html, '<a href="'),
    "html: unclosed title": Shape(_html, "<title>x<"),
    "html: unclosed comment": Shape(_html, "<!-- x"),
    "html: nested pre": Shape(_html, "<pre>"),
    "html: nested tables": Shape(_html, "<table><tr><td>x"),
    "html: deep, then wide": Shape(_html, "x<br>", "<div>" * 900),
    "html: end tags of nothing": Shape(_html, "</x>", "<span>" * 900),
    "html: attributes": Shape(_html, "x#=1 ", "<a ", ">text", numbered=True),
    "html: attributes with quoted ends": Shape(_html, 'x#=">" ', "<a ", ">text", numbered=True),
    "html: attributes of html": Shape(_html, "<html a#=1>", numbered=True),
    "html: formatting left open": Shape(_html, "<b id=#></p><p>", numbered=True),
    "html: misnested": Shape(_html, "<span><div></span></div>"),
    "html: figures of code": Shape(_html, "<pre>x</pre>", "<figure>"),
    "html: rows": Shape(_html, "<tr><td>a<td>b", "<table>"),
    "html: no-break spaces": Shape(_html, "&nbsp;", "<p>a", "b"),
    "html: marks of code": Shape(_html, "&#xfdd0;&#xfdd0;x"),
    "html: a number of many digits": Shape(_html, "9", "<b>" * 2000 + "<p>&#", ";"),
    # edits
    "pii: column of phone numbers": Shape(_edit("pii"), "212-664-7665,"),
    "pii: numbers that hide one another": Shape(_edit("pii"), "(030)901820"),
    "pii: signs of addresses": Shape(_edit("pii"), "a@"),
    "pii: one long domain": Shape(_edit("pii"), ".b", "a@b"),
    "mojibake: one word": Shape(_edit("mojibake"), "Ã©"),
    "mojibake: right and wrong by turns": Shape(_edit("mojibake"), "Ã© é "),
    "mojibake: backticks": Shape(_edit("mojibake"), "`Ã©"),
    "mojibake: brackets": Shape(_edit("mojibake"), "a(Ã©"),
    "mojibake: spaces": Shape(_edit("mojibake"), "\xa0", "Ã©", "x"),
    "whitespace: combining marks": Shape(_edit("whitespace", nfc=True), "\u0301\u0316", "a"),
    "whitespace: blanks": Shape(_edit("whitespace"), " ", "", "x"),
    "c4_lines: references": Shape(_edit("c4_lines"), "[[1]"),
    "refinedweb_lines: short lines": Shape(_edit("refinedweb_lines"), "3 likes\n"),
    # bytes
    "encoding: unclosed meta": Shape(_bytes, "<meta "),
    "encoding: escapes": Shape(_bytes, "\x1b$B"),
    "encoding: broken UTF-8": Shape(_bytes, "\xc3("),
    "http: continued header": Shape(_http, " c\r\n", f"{_RESPONSE}A: b\r\n", "\r\nx"),
    "http: carriage returns": Shape(_http, "\r", _RESPONSE.strip(), "x"),
    "http: chunks of one byte": Shape(_http, "1\r\na\r\n", _CHUNKED),
    "http: codings": Shape(_http, "deflate,", f"{_RESPONSE}Content-Encoding: ", "\r\n\r\n<p>"),
    "json: nested": Shape(_jsonl, "[", '{"text": '),
    "json: a huge number": Shape(_jsonl, "9", '{"text": "x", "n": ', "}"),
    "json: escapes": Shape(_jsonl, "\\u00e9", '{"text": "', '"}'),
    "reply: fence": Shape(_reply, "\n", "```"),
    "reply: escaped quotes": Shape(_reply, '\\"', '{"a": "'),
    # filters
    "url: dots": Shape(_url, "a.", "http://", "com/"),
    "url: beyond ASCII": Shape(_url, "ä", "http://", ".com/"),
    "url: signs": Shape(_url, "a@", "http://"),
    "language: one letter": Shape(_filter(Language()), "a"),
    "quality: dots": Shape(_filter(GopherQuality()), "... "),
    "repetition: one word": Shape(_filter(GopherRepetition()), "word "),
    "repetition: lines": Shape(_filter(GopherRepetition()), "a\n"),
    "readability: short sentences": Shape(_filter(Readability()), "A. "),
}


SHAPES |= {f"blocks: {name.removeprefix('html: ')}": replace(shape, run=_blocks) for name, shape in SHAPES.items() if shape.run is _html}
SHAPES |= {
    "blocks: tiny paragraphs": Shape(_blocks, "<p>x"),
    "blocks: readings of rubies": Shape(_blocks, "<rt>x", "<p><ruby>"),
    "blocks: lines of code": Shape(_blocks, "<i class=line>x</i>", "<pre>"),
    "blocks: code in a table": Shape(_blocks, "<tr><td class=blob-code>x", "<table>"),
    "blocks: a title that is the page": Shape(_blocks, "a# ", "<title>", "</title><p>a1 a2", numbered=True),
    "blocks: unclosed formulas": Shape(_blocks, "<span class=katex><span class=katex-html>x</span>y", "<p>"),
    "blocks: styles that raise": Shape(_blocks, "<i style=vertical-align:sub>x</i>", "<p>"),
    "html: raised text": Shape(_html, "x<sup>2</sup>", "<p>"),
    "html: raised in raised": Shape(_html, "<i><sup>x", "<p>"),
    "html: raised links": Shape(_html, "x<sup><a href=y>2</a></sup>", "<p>"),
    "html: rubies": Shape(_html, "<ruby>x<rt>y</ruby>", "<p>"),
    "html: one row": Shape(_html, "<td>a", "<table><tr>"),
    "html: small tables": Shape(_html, "<table><tr><td>a<td>b</table>"),
    "html: blocks in cells": Shape(_html, "<td>a<p>b<br>", "<table><tr>"),
    "html: short code": Shape(_html, "<pre>x<br>y</pre>"),
    "html: lines of code": Shape(_html, "<p>x", "<pre><div>"),
    "html: readings without rubies": Shape(_html, "<rt>a"),
    "html: readings in cells of rubies": Shape(_html, "<rp>a", "<ruby><table><td>"),
    "html: bare formulas": Shape(_html, "<math>a</math>"),
    "html: bare lists": Shape(_html, "<ul>a</ul>"),
    "blocks: readings without rubies": Shape(_blocks, "<rt>a"),
    "html: a word that is a formula": Shape(_html, "a", "<p>x<math>"),
    "blocks: a word that is a formula": Shape(_blocks, "a", "<p>x<math>"),
    "blocks: words that are a formula": Shape(_blocks, "aa aa aa1", "<p>x<math>"),
    "blocks: dollars in a formula": Shape(_blocks, "$", "<p>x<i data-tex='x", "x'>y</i>"),
    "blocks: links in a formula": Shape(_blocks, "<a>a", "<p>x<math>"),
    "blocks: bare formulas": Shape(_blocks, "<math>a</math>"),
    "html: options": Shape(_html, "<option>a", "<select>"),
    "html: options of towns": Shape(_html, "<option value='#'>Town #</option>", "<form><select>", numbered=True),
    "html: options with open quotes": Shape(_html, "<option a=\"b<option a='", "<select>"),
    "html: options in capitals": Shape(_html, "<OPTION\nx=y>a</OPTION>", "<SELECT>"),
    "html: shallow lists": Shape(_html, "<ul><li>x<a>y</a></ul>"),
    "html: formulas": Shape(_html, "<math><mi>x</mi></math>", "<p>"),
    "html: formula images": Shape(_html, "<img alt='\\xi'>", "<p>"),
    "html: inline elements": Shape(_html, "<i>x</i>", "<p>"),
    "html: tiny paragraphs": Shape(_html, "<p>x"),
    "html: lone signs": Shape(_html, "<b>−</b>", "<p>"),
    "blocks: options": Shape(_blocks, "<option>a", "<select>"),
    "blocks: options of towns": Shape(_blocks, "<option value='#'>Town #</option>", "<form><select>", numbered=True),
    "blocks: raised text": Shape(_blocks, "x<sup>2</sup>", "<p>"),
    "blocks: raised text left open": Shape(_blocks, "<sup>x", "<p>"),
    "blocks: styles that hide": Shape(_blocks, "disp", "<p style='", "'>x"),
    "blocks: classes": Shape(_blocks, "fooBar-", "<p class='", "'>x"),
    "blocks: wide table": Shape(_blocks, "<td>a", "<table><tr>"),
    "blocks: wide rows": Shape(_blocks, "<tr><td>a<td colspan=99>", "<table>"),
    "blocks: list in list": Shape(_blocks, "<ul><li>x</ul>", "<ul><li>" * 200),
    "blocks: paragraphs far down": Shape(_blocks, "<p>some words here, there.", "<div>" * 900),
    "blocks: two far branches": Shape(_blocks, "<p>x</p>" + "<div>" * 90 + "<p>y</p>" + "</div>" * 90),
    "blocks: formulas": Shape(_blocks, "<math><mi>x</mi></math>", "<p>"),
    "blocks: formula in formula": Shape(_blocks, "<span class=katex>x", "<p>"),
    "blocks: nested roots": Shape(_blocks, "<msqrt><mi>x</mi>", "<p><math>"),
    "blocks: formula images": Shape(_blocks, "<img alt='\\xi'>", "<p>"),
    "blocks: streamed parts": Shape(_blocks, "<template id='B:#'></template><div hidden id='S:#'>x</div>", numbered=True),
    "blocks: meta tags": Shape(_blocks, "<meta name=a content='"),
    "blocks: JSON-LD": Shape(_blocks, "[", "<script type='application/ld+json'>", "</script><p>x"),
    "blocks: JSON-LD scripts": Shape(_blocks, "<script type='application/ld+json'>{}"),
}


def seconds(shape: Shape, size: int) -> float:
    """Return the least of three processor times of this thread."""
    record, least = shape.record(size), float("inf")
    for _ in range(3):
        begun = time.thread_time()
        shape.run(record)
        least = min(least, time.thread_time() - begun)
    return least


@cache
def _warm(run: Callable[[str], None], beginning: str) -> None:
    run(beginning)  # kernels and tables are made once


def growth(times: list[float]) -> float:
    """Return the growth a doubling, from the first time above the noise: the median or the geometric mean, whichever is less.

    Fresh memory costs more than memory used before, so one doubling may show a step, which the median leaves out; where a record outgrows
    one cache after another, two show half a step each, and the mean tells more. What is not linear shows in both.
    """
    first = next((place for place, taken in enumerate(times) if taken > NOISE), len(times) - 1)
    doublings = [after / max(before, NOISE) for before, after in pairwise(times[first:])]
    return min(median(doublings), geometric_mean(doublings)) if doublings else times[-1] / max(NOISE, times[-2])


def first_power(shape: Shape) -> int:
    """Return the power of two at which four doublings begin: 64 kB, or the first size above the noise, but 512 kB at most."""
    return next((power for power in range(16, 19) if seconds(shape, 1 << power) > NOISE), 19)


@pytest.mark.parametrize("name", SHAPES)
def test_time_doubles_with_the_record(name: str) -> None:
    shape = SHAPES[name]
    _warm(shape.run, shape.record(SMALL))
    for attempt in range(6):  # a busy machine delays single runs, and a step in cost meets one size; what is not linear fails each time
        scale = 1 if attempt < 3 else 4
        times = [seconds(shape, scale * size) for size in (SMALL, LARGE)]
        if times[1] < 2.8 * max(times[0], NOISE):
            return
        assert attempt < 5, f"{name}: {times[0]:.4f} s, and {times[1]:.4f} s for twice as much"


@pytest.mark.full
def test_no_shape_takes_more_than_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    rows, wrong = [], []
    for name, shape in SHAPES.items():
        _warm(shape.run, shape.record(1 << 14))
        begin = first_power(shape)
        sizes = [1 << power for power in range(begin, begin + 5)]
        times = [float("inf")] * 5
        for _ in range(5):
            times = [min(before, seconds(shape, size)) for before, size in zip(times, sizes, strict=True)]
            per_mb = times[-1] / (len(shape.record(sizes[-1]).encode()) / 1e6)
            is_within = per_mb < TRIFLE or (growth(times) < 2.2 and per_mb < 4)
            if is_within:
                break
        rows.append(f"| {name} | {sizes[0] >> 10} | {' | '.join(f'{taken:.3f}' for taken in times)} | {growth(times):.2f} | {per_mb:.2f} |")
        if not is_within:
            wrong.append(rows[-1])
    with capsys.disabled():
        print(
            "\n| shape | from kB | x 1 | x 2 | x 4 | x 8 | x 16 | growth | s/MB |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|", *rows, sep="\n"
        )
    assert len(rows) > 40
    assert not wrong


def test_a_pattern_of_quadratic_time_is_noticed() -> None:
    pattern = re.compile("<p[^>]*>")
    shape = Shape(lambda text: pattern.sub("", text) and None, "<p ")
    small, large = (seconds(shape, size) for size in (1 << 10, 1 << 14))
    assert large > 64 * small  # sixteen times as much: 16 times as long where time is linear, 256 times where it is quadratic
