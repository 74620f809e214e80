"""Heads as WARC records and HTTP messages have them: a first line, then `name: value` lines. Parsed by FastWARC.

FastWARC takes CR LF line ends only and passes over others without a word, so line ends are made CR LF before (some tools write LF, some CR
CR LF). Names are found in any case; of a name given twice, the first counts. Bytes that are not UTF-8 become U+FFFD. FastWARC takes 32 KiB
at most: headers of more than _LONGEST bytes (policies, cookies, data: URIs) are passed over, and so is what comes after _MOST.
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
