"""Decoding bytes to text: find a page's character encoding when the page, its server and its bytes disagree.

The order is that of the WHATWG Encoding and HTML standards (byte-order mark, HTTP header, `<meta>` or XML declaration, detection). Labels
are mapped as browsers map them: iso-8859-1 means windows-1252, gb2312 means gbk. One thing differs: a declaration is a claim that the bytes
may refute.

    1. A byte-order mark decides, unless the bytes after it do not decode; so do the escapes of ISO-2022-JP in 7-bit bytes.
    2. Bytes that are valid UTF-8 beyond chance are UTF-8, whatever was declared. Against a single-byte claim one multi-byte character is
       enough; against a multi-byte claim it takes four (two bytes of GBK can be valid UTF-8 by accident).
    3. Otherwise the declared encoding, if the bytes decode cleanly under it. If header and `<meta>` differ and both decode, the header wins
       unless the detector agrees with `<meta>` (servers add iso-8859-1 to pages that they never inspected). For the same reason a claim of
       windows-1252 fails if most non-ASCII bytes occur in runs of four or more, as in no Western European language.
    4. Otherwise UTF-8, if it decodes cleanly (a page of windows-1252 that claims UTF-8 does not).
    5. Otherwise a detector: uchardet through resiliparse, then charset-normalizer. Its result must decode cleanly too.
    6. Otherwise `Undecodable`.

*Cleanly* means two things. First, there is at most one damaged sequence for every 50 non-ASCII characters: a few stray bytes must not turn
a whole page into mojibake; they become U+FFFD and are counted; a character cut off at the end of a truncated page does not count. Second,
there are few control characters, which binary data has and text does not. In UTF-8 one damaged sequence per thousand bytes is clean too if
at least as many are intact: an English page with two non-ASCII letters, one of them damaged, is not windows-1252. For the same reason few
damaged sequences do not weaken the proof of step 2.

KOI8-R is read as KOI8-U if the bytes that differ (box-drawing characters in the one, Ukrainian and Belarusian letters in the other) occur
in words.

Invariant: the text is valid Unicode without lone surrogates, NUL or control characters other than tab and newline; CR LF and CR become
newlines, as in an HTML parser.
"""

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_PRESCAN_BYTES = 4096
_DETECTED_BYTES = 64 << 10
_NORMALIZER_BYTES = 8 << 10
_CHARACTERS_PER_DAMAGE = 50
_BYTES_PER_CONTROL = 100
_MULTI_BYTE_PROOF = 4
_BYTES_PER_STRAY = 1000

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WIDER = {"iso8859-1": "cp1252", "shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "iso8859-11": "cp874"}
"""Python codecs that cover a whole WHATWG encoding, in place of narrower codecs with the same name."""
_MULTI_BYTE = frozenset({"cp932", "cp949", "gb18030", "big5", "euc_jp", "iso2022_jp"})

_KOI8_U_LETTERS = b"\xa4\xa6\xa7\xad\xae\xb4\xb6\xb7\xbd\xbe"
_KOI8_LETTER = rb"[\xa3\xb3\xc0-\xff]"
_KOI8_U_IN_WORDS = re.compile(
    rb"(?<=%b)[%b]|[%b](?=%b)" % (_KOI8_LETTER, re.escape(_KOI8_U_LETTERS), re.escape(_KOI8_U_LETTERS), _KOI8_LETTER)
)
_BELARUSIAN = str.maketrans("╝╬", "ўЎ")

_HEADER_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_XML_DECLARATION = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']\s*([\w.:+-]+)""", re.IGNORECASE)
_META_CHARSET = re.compile(rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE)

_CONTROLS = bytes(c for c in range(0x20) if c not in b"\t\n\f\v\r") + b"\x7f"
_ASCII = bytes(range(0x80))
_BLANKS = bytes.maketrans(b"\f\v", b"  ")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPES = (b"\x1b$B", b"\x1b$@")
_LONG_RUN = re.compile(rb"[\x80-\xff]{4,}")
_C1 = re.compile("[\x80-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Undecodable(ValueError):
    """No encoding gives text: the record is binary data, or damaged beyond reading. The message lists what was tried."""


@dataclass(frozen=True)
class Decoded:
    """A page as text.

    `encoding` is the Python codec that was used; `declared` is the one that the header or the page claimed (None: no claim, or an unknown
    label); `damaged` counts the sequences that became U+FFFD, `controls` the NUL and control characters that were dropped.
    """

    text: str
    encoding: str
    declared: str | None
    damaged: int = 0
    controls: int = 0


def _codec(label: str | None, in_page: bool = False) -> str | None:
    """Map a label to a Python codec as browsers do; None for labels that the standard does not know or does not decode."""
    if not label:
        return None
    name = map_encoding_to_html5(label, fallback_utf8=False)
    if in_page and name in ("utf-16-le", "utf-16-be"):
        return "utf-8"  # a page whose label is readable as ASCII is not in UTF-16 (HTML standard, prescan)
    return _WIDER.get(name, name) if name else None


def _header_codec(content_type: str | None) -> str | None:
    match = _HEADER_CHARSET.search(content_type or "")
    return _codec(match[1] if match else None)


def _page_codec(payload: bytes) -> str | None:
    head = _COMMENT.sub(b"", payload[:_PRESCAN_BYTES])
    match = _META_CHARSET.search(head) or _XML_DECLARATION.search(head)
    return _codec(match[1].decode("ascii", "replace") if match else None, in_page=True)


def _without_cut_end(payload: bytes) -> bytes:
    """Drop the first bytes of a UTF-8 character that the end of a truncated page cut off."""
    for back in range(1, min(3, len(payload)) + 1):
        byte = payload[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return payload[:-back] if back < needed else payload
        if byte < 0x80:
            break
    return payload


def _looks_like_text(payload: bytes, codec: str) -> bool:
    """Return whether control characters are rare; UTF-16 and ISO-2022 use these bytes for other purposes."""
    if codec.startswith(("utf-16", "iso2022")):
        return True
    padded = payload.rstrip(b"\0")
    controls = len(padded) - len(padded.translate(None, _CONTROLS))
    return controls * _BYTES_PER_CONTROL <= len(padded)


def _cleanly(payload: bytes, codec: str | None) -> tuple[str, str, int] | None:
    """Return (text, codec, damaged sequences) if the bytes decode cleanly under a codec, otherwise None."""
    if codec is None or not _looks_like_text(payload, codec):
        return None
    if codec == "utf-8":
        payload = _without_cut_end(payload)
    try:
        text, damaged = payload.decode(codec), 0
    except UnicodeDecodeError:
        text = payload.decode(codec, "replace")
        damaged = text.count("\ufffd")
    strange = damaged + (len(_C1.findall(text)) if codec.startswith("iso8859") else 0)
    if strange and strange * _CHARACTERS_PER_DAMAGE > (non_ascii := len(_NON_ASCII.findall(text))):
        is_stray = codec == "utf-8" and non_ascii >= 2 * damaged and damaged * _BYTES_PER_STRAY <= len(payload)
        if not is_stray:
            return None
    if codec == "koi8-r" and _is_koi8_u(payload):
        return _koi8_u(payload), "koi8-u", damaged
    return (_koi8_u(payload) if codec == "koi8-u" else text), codec, damaged


def _is_koi8_u(payload: bytes) -> bool:
    """Return whether most bytes that are letters in KOI8-U and boxes in KOI8-R are next to letters."""
    different = len(payload) - len(payload.translate(None, _KOI8_U_LETTERS))
    return different > 0 and 2 * len(_KOI8_U_IN_WORDS.findall(payload)) > different


def _koi8_u(payload: bytes) -> str:
    """Decode as browsers do, with the Belarusian letter that Python's codec (RFC 2319) lacks."""
    return payload.decode("koi8-u", "replace").translate(_BELARUSIAN)


def _by_mark(payload: bytes) -> tuple[str, str, int] | None:
    for mark, codec in _MARKS:
        if payload.startswith(mark):
            return _cleanly(payload[len(mark) :], codec)
    if payload.isascii() and any(escape in payload for escape in _ESCAPES):
        return _cleanly(payload, "iso2022_jp")
    return None


def _by_proof(payload: bytes, declared: str | None) -> tuple[str, str, int] | None:
    """Return the bytes as UTF-8 if they are valid and contain enough multi-byte characters to refute the claim."""
    try:
        text, damaged = _without_cut_end(payload).decode("utf-8"), 0
    except UnicodeDecodeError:
        text = _without_cut_end(payload).decode("utf-8", "replace")
        damaged = text.count("\ufffd")
    if damaged or declared in _MULTI_BYTE:
        whole = sum(1 for _ in _NON_ASCII.finditer(text)) - damaged
        if whole < _MULTI_BYTE_PROOF or whole < damaged * (_CHARACTERS_PER_DAMAGE if declared in _MULTI_BYTE else _MULTI_BYTE_PROOF):
            return None
    return (text, "utf-8", damaged) if _looks_like_text(payload, "utf-8") else None


def _stray(payload: bytes) -> tuple[str, str, int] | None:
    """Return ASCII with a few invalid bytes."""
    text = payload.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return (text, "utf-8", damaged) if damaged * _BYTES_PER_STRAY <= len(payload) and _looks_like_text(payload, "utf-8") else None


def _detected(payload: bytes) -> str | None:
    name = detect_encoding(payload, max_len=_DETECTED_BYTES, html5_compatible=False)
    return _codec(name) if name and name != "ascii" else None


def _wide(payload: bytes) -> str | None:
    """Return the name of UTF-16 without a byte-order mark, recognised by markup in which every other byte is NUL."""
    head = payload[:_PRESCAN_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 10 < len(head) or min(even, odd) * 20 > len(head):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _by_detection(payload: bytes) -> tuple[str, str, int] | None:
    found = _cleanly(payload, _wide(payload)) or _cleanly(payload, _detected(payload))
    if found or not _looks_like_text(payload, "utf-8"):
        return found
    first = next((i for i, byte in enumerate(payload) if byte >= 0x80), 0)
    best = from_bytes(payload[max(0, first - _NORMALIZER_BYTES // 4) :][:_NORMALIZER_BYTES]).best()
    return _cleanly(payload, best.encoding.replace("_", "-") if best else None)


def _is_western(payload: bytes) -> bool:
    in_runs = sum(len(run) for run in _LONG_RUN.findall(payload))
    return in_runs * 2 <= len(payload.translate(None, _ASCII))


def _by_claim(payload: bytes, header: str | None, page: str | None) -> tuple[str, str, int] | None:
    if "cp1252" in (header, page) and not _is_western(payload):
        header, page = (None if claim == "cp1252" else claim for claim in (header, page))
    by_header, by_page = _cleanly(payload, header), _cleanly(payload, page)
    if by_header and by_page and header != page and _detected(payload) == page:
        return by_page
    return by_header or by_page


def decode_text(payload: bytes, content_type: str | None = None) -> Decoded:
    """Decode a page by its bytes, the HTTP header `content_type` and its own declaration. Raises Undecodable."""
    header, page = _header_codec(content_type), _page_codec(payload)
    declared = header or page
    found = (
        _by_mark(payload)
        or _by_proof(payload, declared)
        or _by_claim(payload, header, page)
        or _cleanly(payload, "utf-8")
        or _by_detection(payload)
        or _stray(payload)
    )
    if found is None:
        raise Undecodable(f"the bytes are no text in {declared or 'any encoding that was declared'}, UTF-8, or what the detectors found")
    text, encoding, damaged = found
    text, controls = without_controls(text)
    return Decoded(text, encoding, declared, damaged, controls)


def without_controls(text: str) -> tuple[str, int]:
    """Return the text as valid Unicode with plain newlines and no control characters, and the number of those that were dropped.

    Lone surrogates (which JSON can spell) become U+FFFD; CR LF and CR become newlines; form feeds and vertical tabs become blanks.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        encoded = _SURROGATE.sub("\ufffd", text).encode()
        text = ""
    cleaned = encoded.translate(_BLANKS, _CONTROLS).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    controls = len(encoded) - len(encoded.translate(None, _CONTROLS))
    return (text if cleaned == encoded and text else cleaned.decode()), controls
