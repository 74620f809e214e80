"""Pace: how fast and how many at once an endpoint is asked. One pacer serves an endpoint and model, whichever tasks ask.

Calls take slots in time (the generic cell rate algorithm, a token bucket without a timer): each call moves the next slot on by what it
uses, and up to BURST seconds may be made up after a delay. There are slots by requests and by tokens.

    declared      `requests_per_minute` and `tokens_per_minute` set the rates; a lower limit in the answers' headers replaces them
    not declared  the number of calls at once grows by one per round of answers and shrinks to LESS of itself when the endpoint says "too
                  many" or does not answer in time (additive increase, multiplicative decrease). After a bare refusal the rate that was
                  accepted of late is kept a little below, and then probed slowly upwards.
    ordered       Retry-After and a used-up `x-ratelimit-remaining-*` hold everybody back until then

aiolimiter, the usual library, cannot change its rate, take back an estimate or be held; hence these lines.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping

from synth.ask.retrying import LONGEST_ORDER

BURST = 0.25
FIRST_AT_ONCE = 4
LESS = 0.75
FEWEST_AT_ONCE = 4
MOST_AT_ONCE = 512
_MEASURED = 3.0
"""Seconds over which the accepted rate is measured, and without a refusal after which it counts as settled."""
_BELOW = 0.985
_UNSETTLED = 0.85
_NEAR = 0.95
_FIRST_HOLD = 1.0
_BORNE, _BORNE_COUNT = 0.04, 2.0
"""Share of refused calls, and their number, that are no reason to slow down."""
_SLOWEST = 0.2
_PROBE = 0.004
"""Growth of a learned rate per second near the rate that was refused last; twice as much after each QUIET seconds."""
_CLIMB = 0.4
"""Growth per second far below that rate."""
_QUIET = 2.0
_LOOK = 0.2
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


class Slots:
    """Slots in time at a rate per second (None: no limit)."""

    def __init__(self, rate: float | None) -> None:
        """Begin with a rate."""
        self.rate = rate
        self._next = 0.0

    def take(self, now: float, amount: float) -> float:
        """Return the time at which a call that uses `amount` may go."""
        if self.rate is None:
            return now
        begin = max(self._next, now - BURST)
        self._next = begin + amount / self.rate
        return max(now, begin)

    def give_back(self, amount: float) -> None:
        """Return a part of what was taken, because the call used less. A negative amount means that it used more."""
        if self.rate is not None:
            self._next -= amount / self.rate


class Pacer:
    """The pace of one endpoint and model."""

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        at_once: int = 16,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the declared limits and the most calls at once."""
        self._clock = clock
        self.declared = requests_per_minute is not None or tokens_per_minute is not None
        self.requests = Slots(requests_per_minute and requests_per_minute / 60)
        self.tokens = Slots(tokens_per_minute and tokens_per_minute / 60)
        self._most = at_once
        self._window = float(at_once if self.declared else min(at_once, FIRST_AT_ONCE))
        self._held_until = 0.0
        self._accepted: deque[float] = deque(maxlen=8192)
        self._refusals: deque[float] = deque(maxlen=8192)
        self._began: float | None = None
        self._last_cut = self._last_probe = -1e9
        self._best = 0.0

    @property
    def allowed(self) -> int:
        """The number of calls that may be under way."""
        return max(1, int(self._window))

    async def slot(self, tokens: int, stopped: Callable[[], bool]) -> bool:
        """Wait for the turn of a call; return False if nothing new is to be sent any more."""
        at = self.turn(tokens)
        while not stopped():
            left = max(at, self._held_until) - self._clock()
            if left <= 0:
                self.begin()
                return True
            await asyncio.sleep(min(left, _LOOK))
        return False

    def turn(self, tokens: int) -> float:
        """Take the next slot and return its time."""
        now = self._clock()
        self._probe(now)
        return max(self.requests.take(now, 1), self.tokens.take(now, tokens), self._held_until)

    def begin(self) -> None:
        """Take notice that a call goes out."""
        self._began = self._clock() if self._began is None else self._began

    def hold(self, seconds: float) -> None:
        """Send no call for this many seconds."""
        self._held_until = max(self._held_until, self._clock() + min(seconds, LONGEST_ORDER))

    def accepted(self, headers: Mapping[str, str], estimated: int, used: int | None) -> None:
        """Learn from an answer: its headers, the tokens that were estimated for it and those it used."""
        self._accepted.append(self._clock())
        self._window = min(self._most, self._window + 1 / self._window)
        if used is not None:
            self.tokens.give_back(estimated - used)
        self._read_headers(headers)

    def refused(self, sent_at: float, ordered: float | None, headers: Mapping[str, str]) -> None:
        """Learn from a "too many requests" to a call that was sent at that time."""
        self._read_headers(headers)
        if ordered is not None:
            self.hold(ordered)
        if sent_at <= self._last_cut:
            return  # sent before the last cut, so it says nothing new
        now = self._clock()
        if ordered is None:
            self._refusals.append(now)
        recent = sum(at > now - _MEASURED for at in self._accepted)
        few = sum(at > now - _MEASURED for at in self._refusals) <= max(_BORNE_COUNT, _BORNE * recent)
        if few and ordered is None and not self.declared:
            return  # some endpoints refuse a few calls at any pace
        settled = now - self._last_cut > _MEASURED
        self._last_cut = self._last_probe = now
        self._window = max(min(FEWEST_AT_ONCE, self._most), self._window * LESS)
        if ordered is not None or self.declared:
            return
        began = self._began if self._began is not None else now
        rate = self.requests.rate
        if rate is None:  # the window of a limit is full: what it took, over the time until it takes more, is a first guess
            self.hold(_FIRST_HOLD)
            self._best = recent / (min(_MEASURED, now - began) + _FIRST_HOLD)
            self.requests.rate = max(_SLOWEST, self._best * _BELOW)
            return
        # still too fast, but not faster than what was taken of late; a low figure may only mean that little was asked
        taken = recent / min(_MEASURED, max(1.0, now - began)) if settled else sum(at > now - 1.0 for at in self._accepted)
        self._best = min(rate, max(rate * _UNSETTLED, taken))
        self.requests.rate = max(_SLOWEST, self._best * _BELOW)
        self.hold(2 / self.requests.rate)

    def overloaded(self) -> None:
        """Learn from a call that the endpoint could not serve in time."""
        self._window = max(1.0, self._window * LESS)

    def _probe(self, now: float) -> None:
        """Raise a learned rate a little, the more the longer nothing was refused."""
        if self.declared or self.requests.rate is None or now - self._last_cut < 1.0:
            return
        quiet = now - self._last_cut
        growth = _CLIMB if self.requests.rate < _NEAR * self._best else _PROBE * 2.0 ** min(5.0, quiet // _QUIET)
        self.requests.rate *= 1 + growth * max(0.0, min(1.0, now - max(self._last_probe, self._last_cut)))
        self._last_probe = now

    def _read_headers(self, headers: Mapping[str, str]) -> None:
        for kind, slots in (("requests", self.requests), ("tokens", self.tokens)):
            limit = _number(headers.get(f"x-ratelimit-limit-{kind}"))
            if limit and slots.rate is not None and self.declared:
                slots.rate = min(slots.rate, limit / 60)
            remaining, reset = _number(headers.get(f"x-ratelimit-remaining-{kind}")), duration(headers.get(f"x-ratelimit-reset-{kind}"))
            if remaining is not None and remaining < 1 and reset:
                self.hold(reset)


def duration(said: str | None) -> float | None:
    """Return the seconds of a duration such as `1m30.5s`, `20ms` or `7`, or None."""
    if not said:
        return None
    number = _number(said)
    if number is not None:
        return number
    found = _DURATION.fullmatch(said.strip())
    if found is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000


def _number(said: str | None) -> float | None:
    """Return a number that is not negative, or None."""
    try:
        value = float(said or "")
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None
