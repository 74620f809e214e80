"""Heads as WARC records and HTTP messages have them: a first line, then `name: value` lines. Parsed by FastWARC.

FastWARC takes CR LF line ends only and passes over others without a word, so line ends are made CR LF before (some tools write LF, some CR
CR LF). Names are found in any case; of a name given twice, the first counts. Bytes that are not UTF-8 become U+FFFD.
"""

import io
import re

from fastwarc.warc import HeaderMap

__all__ = ["HeaderMap", "parse_head"]

_LINE_END = re.compile(rb"(?<!\r)\r*+\n")


def parse_head(head: bytes) -> HeaderMap:
    """Return the headers; `status_line` is the first line. Raises OSError for a head over 32 KiB."""
    headers = HeaderMap()
    headers.parse(io.BytesIO(_LINE_END.sub(b"\r\n", head.rstrip(b"\r\n")) + b"\r\n\r\n"))
    return headers
