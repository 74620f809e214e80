"""MIME types: interpret Content-Type headers, however often they were sent, by the WHATWG Fetch standard's "extract a MIME type".

Servers and the proxies before them each add a header, so `text/html, text/html` is common, and so is a repeated header. Values are split at
commas outside quotes, and the last valid one counts; the charset of an earlier one stays if the type is the same.
"""

import re
from collections.abc import Iterable

_VALUES = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^",])+')
_ESSENCE = re.compile(r"\s*([\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+)\s*(?:;|\Z)", re.ASCII)
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE | re.ASCII)
_NOTHING_KNOWN = frozenset({"application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown", "content/unknown"})


def content_type(headers: Iterable[str]) -> str | None:
    """Return the combined value of Content-Type headers, `type/subtype` or `type/subtype; charset=...`; None if none is valid."""
    essence, charset = None, None
    for header in headers:
        for value in _VALUES.findall(header):
            parsed = _ESSENCE.match(value)
            if parsed is None or parsed[1] == "*/*":
                continue
            named = _CHARSET.search(value)
            same = parsed[1].lower() == essence
            essence = parsed[1].lower()
            charset = named[1] if named else charset if same else None
    return essence and (f"{essence}; charset={charset}" if charset else essence)


def identified(sent: str | None, found: str | None) -> str | None:
    """Return the type of a body: the sent type or, if that says nothing, the type that the crawler identified (None: unknown)."""
    says_nothing = sent is None or sent.partition(";")[0] in _NOTHING_KNOWN
    return (content_type([found]) or sent) if found and says_nothing else sent
