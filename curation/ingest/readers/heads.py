"""Heads of WARC records and HTTP messages: a first line, then `name: value` lines. FastWARC parses them.

FastWARC accepts only CR LF line ends and silently skips others, so line ends are first made CR LF (some tools write LF, some CR CR LF).
Names are case-insensitive; of a name given twice, the first counts. Bytes that are not UTF-8 become U+FFFD. FastWARC accepts at most 32
KiB: headers of more than _LONGEST bytes (policies, cookies, data: URIs) are skipped, and so is everything after _MOST.
"""

import io
import re

from fastwarc.warc import HeaderMap

__all__ = ["HeaderMap", "parse_head"]

_LONGEST = 8 << 10
_MOST = 30 << 10
_LONG_HEADER = re.compile(rb"\n[^\n]{%d,}" % _LONGEST)
_LINE_END = re.compile(rb"(?<!\r)\r*+\n")


def parse_head(head: bytes) -> HeaderMap:
    """Return the headers; `status_line` is the first line. Raises OSError for a first line over 32 KiB."""
    if len(head) > _LONGEST:
        head = _LONG_HEADER.sub(b"", head)
        head = head if len(head) <= _MOST else head[: head.rfind(b"\n", 0, _MOST)]
    headers = HeaderMap()
    headers.parse(io.BytesIO(_LINE_END.sub(b"\r\n", head.rstrip(b"\r\n")) + b"\r\n\r\n"))
    return headers
