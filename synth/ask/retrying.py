"""Retrying: exponential backoff with full jitter, and never before the time that the endpoint orders.

The pause before attempt n is drawn from [0, min(longest, first * 2^n)] ("full jitter": clients that failed together do not return
together). The draw is a hash of the request and the attempt, so a run needs no random generator. A `Retry-After` (seconds or a date) or
`retry-after-ms` is the minimum of the pause.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from curation.storage.record_keys import unit_interval

LONGEST_ORDER = 600.0
"""Longest Retry-After in seconds that is honoured; after that time a request is sent anyway."""


def pause(key: str, attempt: int, first: float, longest: float, ordered: float | None) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (1, 2, ...)."""
    ceiling = min(longest, first * 2.0 ** (attempt - 1))
    jitter = ceiling * unit_interval(key.encode(), f"attempt {attempt}")
    return jitter if ordered is None else min(ordered, LONGEST_ORDER) + min(jitter, 1.0)


def ordered_pause(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that an answer's headers order us to wait; None if they order nothing readable."""
    milliseconds, after = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if after is None:
            return None
        try:
            return max(0.0, float(after))
        except ValueError:
            return max(0.0, (parsedate_to_datetime(after) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError):
        return None
