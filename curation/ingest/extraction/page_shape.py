"""The cost of parsing a page, known in advance: one pass over its bytes follows an HTML parser without building a tree.

Source: the WHATWG HTML standard, 13.2 (tokenization and tree construction). On pages made for it, a parser that follows the standard takes
unbounded time. Each way to cause this has a count here:

    attributes   most attributes of one tag: each is compared with those before it, and tags `<html>` and `<body>` add theirs to the first
    depth        most elements open at once: end tags search through all of them, and so do the rules of extraction
    steps        open elements, summed over the start tags: the cost of extraction, which visits all ancestors of an element
    remade       formatting elements (`<b>`, `<font>`) that stay open where a paragraph ends are made again in the next one, so that n
                 of them before n paragraphs make n * n elements

The pass follows the standard where it decides the counts: names, attributes and quotes; comments and raw text; which start tags end open
elements (a paragraph before a block, an item before an item, cells and rows); which end tags find their element. It ignores the rest; in
doubt, the counts are too high rather than too low.

Invariant: time is linear in the page, because at most `most` elements are kept as open; beyond that the pass ends.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from curation.text.kernels import inline_kernel, kernel

_NAMES = {
    "void": "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr",
    "raw": "script style xmp iframe noembed noframes textarea title plaintext",
    "whole": "html head body",
    "formatting": "a b big code em font i nobr s small strike strong tt u",
    "foreign": "svg math",
    "special": "address applet area article aside base basefont bgsound blockquote body br button caption center col colgroup dd details "
    "dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img "
    "input keygen li link listing main marquee menu meta nav noembed noframes noscript object ol p param plaintext pre script search "
    "section select source style summary table tbody td template textarea tfoot th thead title tr track ul wbr xmp",
    "not_list_stop": "address div p",
    "ends_paragraph": "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header hgroup "
    "main menu nav ol p search section summary ul h1 h2 h3 h4 h5 h6 pre listing form li dd dt plaintext table hr xmp",
    "scope": "applet caption html table td th marquee object template",
    "paragraph": "p",
    "item": "li",
    "term": "dd dt",
    "cell": "td th",
    "row": "tr",
    "row_group": "tbody thead tfoot caption colgroup",
    "table": "table template",
    "option": "option",
    "button": "button",
    "heading": "h1 h2 h3 h4 h5 h6",
    "ruby": "ruby",
    "reading": "rb rt rtc rp",
    "once": "a nobr",
}
_BITS = {group: 1 << place for place, group in enumerate(_NAMES)}
_VOID, _RAW, _WHOLE, _FORMATTING, _FOREIGN, _SPECIAL, _NOT_LIST_STOP, _ENDS_PARAGRAPH, _SCOPE = list(_BITS.values())[:9]
_PARAGRAPH, _ITEM, _TERM, _CELL, _ROW, _ROW_GROUP, _TABLE, _OPTION, _BUTTON, _HEADING, _RUBY, _READING, _ONCE = list(_BITS.values())[9:]
_TABLE_PARTS = _CELL | _ROW | _ROW_GROUP | _TABLE
_SLOTS = 1024
_SEED, _STEP = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
END_OF_NAME = np.array([byte in b" \t\n\f\r/>" for byte in range(256)])
IS_BLANK = np.array([byte in b" \t\n\f\r" for byte in range(256)])
IS_LETTER = np.array([chr(byte).isalpha() and byte < 0x80 for byte in range(256)])


class PageShape(NamedTuple):
    """The counts of a page; see the module's docstring. A count above its bound may have any value above it."""

    attributes: int
    depth: int
    steps: int
    remade: int


def page_shape(html: bytes, most: int) -> PageShape:
    """Return the counts of a page in UTF-8; the pass ends where more than `most` elements are open."""
    data = np.frombuffer(html, np.uint8)
    names, groups = _known_names()
    counts = np.zeros(4, np.int64)
    _measure(data, names, groups, np.empty(most + 2, np.uint64), np.empty(most + 2, np.int64), counts)
    return PageShape(*counts.tolist())


@cache
def _known_names() -> tuple[Any, Any]:
    """Return a hash table of all names that matter, and the groups of each as bits; a name's place is found from its hash on upwards."""
    hashes, groups = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.int64)
    for group, names in _NAMES.items():
        for name in names.split():
            value = int(_SEED)
            for byte in name.encode():
                value = (value ^ byte) * int(_STEP) % (1 << 64)
            place = value % _SLOTS
            while hashes[place] not in (0, value):
                place = (place + 1) % _SLOTS
            hashes[place] = value
            groups[place] |= _BITS[group]
    return hashes, groups


@inline_kernel
def name_at(data: Any, i: int) -> tuple[Any, int]:
    """Return the hash of the tag's name that begins at i, in lower case, and where it ends."""
    value = _SEED
    while i < len(data) and not END_OF_NAME[data[i]]:
        byte = data[i] | 0x20 if 0x41 <= data[i] <= 0x5A else data[i]
        value = (value ^ np.uint64(byte)) * _STEP
        i += 1
    return value, i


@inline_kernel
def _after_attributes(data: Any, i: int) -> tuple[int, int, bool]:
    """Return where the tag whose name ends at i ends, how many attributes it has, and whether it closes itself."""
    end = len(data)
    count = 0
    closes = False
    while i < end and data[i] != 0x3E:
        if data[i] == 0x2F or IS_BLANK[data[i]]:
            closes = data[i] == 0x2F or (closes and not IS_BLANK[data[i]])
            i += 1
            continue
        count += 1
        closes = False
        i += 1  # an attribute's name may begin with "="
        while i < end and data[i] != 0x3D and not END_OF_NAME[data[i]]:
            i += 1
        while i < end and IS_BLANK[data[i]]:
            i += 1
        if i >= end or data[i] != 0x3D:
            continue
        i += 1
        while i < end and IS_BLANK[data[i]]:
            i += 1
        if i < end and (data[i] == 0x22 or data[i] == 0x27):
            quote = data[i]
            i += 1
            while i < end and data[i] != quote:
                i += 1
            i += 1
        else:
            while i < end and data[i] != 0x3E and not IS_BLANK[data[i]]:
                i += 1
    return min(i + 1, end), count, closes


@inline_kernel
def after_declaration(data: Any, i: int) -> int:
    """Return the end of a comment, a doctype, or what is read as a comment: it begins at i with "<!", "<?", or "</" and no letter."""
    end = len(data)
    if i + 3 < end and data[i + 1] == 0x21 and data[i + 2] == 0x2D and data[i + 3] == 0x2D:
        i += 4
        if i < end and data[i] == 0x3E:
            return i + 1
        if i + 1 < end and data[i] == 0x2D and data[i + 1] == 0x3E:
            return i + 2
        while i + 2 < end:
            if data[i] == 0x2D and data[i + 1] == 0x2D:
                if data[i + 2] == 0x3E:
                    return i + 3
                if data[i + 2] == 0x21 and i + 3 < end and data[i + 3] == 0x3E:
                    return i + 4
            i += 1
        return end
    while i < end and data[i] != 0x3E:
        i += 1
    return min(i + 1, end)


@inline_kernel
def _after_raw_text(data: Any, i: int, name: Any) -> int:
    """Return where the end tag of raw text that begins at i begins; the end of the page if there is none."""
    while i + 2 < len(data):
        if data[i] == 0x3C and data[i + 1] == 0x2F and IS_LETTER[data[i + 2]]:
            found, behind = name_at(data, i + 2)
            if found == name:
                return i
            i = behind
        else:
            i += 1
    return len(data)


@inline_kernel
def _ended_by(kind: int, rule: int) -> tuple[int, int, int]:
    """Return what a start tag ends by one of four rules: the group of elements that it ends, the groups at which its search stops, and the
    exceptions among these. A rule that does not apply to the tag ends nothing."""
    if rule == 0 and kind & (_ITEM | _TERM):
        return kind & (_ITEM | _TERM), _SPECIAL, _NOT_LIST_STOP
    if rule == 1 and kind & _ENDS_PARAGRAPH:
        return _PARAGRAPH, _SCOPE | _BUTTON, 0
    if rule == 2 and kind & (_CELL | _ROW | _ROW_GROUP):
        return kind & (_CELL | _ROW | _ROW_GROUP), _TABLE, 0
    if rule == 3 and kind & _BUTTON:
        return _BUTTON, _SCOPE, 0
    return 0, 0, 0


@kernel
def _measure(data: Any, names: Any, groups: Any, stack: Any, kinds: Any, counts: Any) -> None:
    """Fill `counts`, in the order of `PageShape`.

    `stack` and `kinds` have the open elements, `unclosed` the number of formatting elements without an end tag, whether open or not.
    """
    end, most = len(data), len(stack) - 2
    size, foreign, unclosed, whole_attributes = 0, 0, 0, 0
    unclosed_by_name = np.zeros(len(names), np.int64)
    i = 0
    while i < end - 1:
        if data[i] != 0x3C:
            i += 1
            continue
        following = data[i + 1]
        is_end = following == 0x2F and i + 2 < end and IS_LETTER[data[i + 2]]
        if not is_end and not IS_LETTER[following]:
            i = after_declaration(data, i) if following in (0x21, 0x3F, 0x2F) else i + 1
            continue
        name, i = name_at(data, i + 2 if is_end else i + 1)
        i, attributes, closes_itself = _after_attributes(data, i)
        number = name & (_SLOTS - 1)
        while names[number] != name and names[number] != 0:
            number = (number + 1) & (_SLOTS - 1)
        kind = groups[number]
        if kind & _WHOLE:
            whole_attributes += attributes
            counts[0] = max(counts[0], whole_attributes)
            continue
        counts[0] = max(counts[0], attributes)
        before = size
        taken_out = -1
        if is_end or kind & _ONCE:
            stops = 0 if kind & _FORMATTING else _TABLE if kind & _TABLE_PARTS else _SCOPE if kind & _SPECIAL else _SPECIAL
            place = size - 1
            while place >= 0 and stack[place] != name and not kinds[place] & stops:
                place -= 1
            if place >= 0 and stack[place] == name:
                if kind & _FORMATTING:
                    taken_out = place
                else:
                    size = place
            if kind & _FORMATTING and unclosed_by_name[number] > 0:
                unclosed_by_name[number] -= 1
                unclosed -= 1
        if not is_end:
            for rule in range(4):
                wanted, stops, passed = _ended_by(kind, rule)
                place = size - 1 if wanted else -1
                while place >= 0 and not kinds[place] & wanted:
                    place = -1 if kinds[place] & stops and not kinds[place] & passed else place - 1
                size = place if place >= 0 else size
            if size and kind & kinds[size - 1] & (_OPTION | _HEADING):
                size -= 1
            if size and kind & kinds[size - 1] & _READING:
                place = size - 1
                while place >= 0 and not kinds[place] & (_RUBY | _SCOPE):
                    place -= 1
                size -= place >= 0 and kinds[place] & _RUBY != 0  # without a ruby around it, a reading stands in the one before
        if size < before:
            counts[3] += unclosed
        for k in range(size, before):
            foreign -= kinds[k] & _FOREIGN != 0
        if 0 <= taken_out < size:
            for k in range(taken_out, size - 1):
                stack[k], kinds[k] = stack[k + 1], kinds[k + 1]
            size -= 1
        if is_end:
            continue
        counts[2] += size
        if kind & _RAW and not foreign:
            i = _after_raw_text(data, i, name)
            continue
        if kind & _VOID or (closes_itself and foreign):
            continue
        stack[size], kinds[size] = name, kind
        size += 1
        foreign += kind & _FOREIGN != 0
        if kind & _FORMATTING:
            unclosed_by_name[number] += 1
            unclosed += 1
        counts[1] = max(counts[1], size)
        if size > most:
            return
