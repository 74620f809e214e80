"""Draining: when a signal asks a command to end, nothing new is sent, and what is under way has some seconds to arrive.

Answers under way are paid for, so ending at once would throw money away. After DRAIN_SECONDS, or at a second signal, the rest is given up;
the log knows that they were sent, and counts them at their worst case. Then the signal takes its usual course.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from curation.counting import counted
from synth.ask.budget import Budget

DRAIN_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Item = TypeVar("_Item")


class Draining:
    """Whether a signal has asked this command to end, which one, and when the command gives up."""

    def __init__(self, budget: Budget, tell: Callable[[str], None]) -> None:
        """Take what to close, and where to send messages."""
        self.number: int | None = None
        self.arrived = 0
        self._budget = budget
        self._tell = tell
        self._given_up = asyncio.Event()

    def asked(self, number: int) -> None:
        """Note a signal."""
        if self.number is not None:
            self._given_up.set()
            return
        self.number, self._budget.closed = number, True
        name = signal.Signals(number).name
        self._tell(f"{name}: nothing new is sent; answers under way have {DRAIN_SECONDS:.0f} s to arrive (again: end now)")
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._given_up.set)

    async def until_ended(self, items: AsyncIterator[_Item]) -> AsyncIterator[_Item]:
        """Yield items until they end, or until waiting is given up."""
        gave_up = asyncio.ensure_future(self._given_up.wait())
        try:
            while True:
                coming: asyncio.Task[_Item] = asyncio.ensure_future(anext(items))
                await asyncio.wait({coming, gave_up}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    await asyncio.gather(coming, return_exceptions=True)
                    return
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                yield item
        finally:
            gave_up.cancel()

    def answered(self, is_answer: bool) -> None:
        """Count what arrives after the signal, unless it tells of a failed endpoint."""
        self.arrived += is_answer and self.number is not None

    def tell_kept(self) -> None:
        """Say what is kept."""
        late = "; those that did not arrive count at their worst case" if self._given_up.is_set() else ""
        came = f"{counted(self.arrived, 'answer')} under way arrived" if self.arrived else "no answer under way arrived"
        self._tell(f"{came}; every answer is kept{late}")


@contextmanager
def draining(budget: Budget, tell: Callable[[str], None]) -> Iterator[Draining]:
    """Inside the block, a signal lets pending replies arrive; after the block, the signal takes its usual course."""
    ending = Draining(budget, tell)
    before: dict[int, Any] = {}
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if callable(signal.getsignal(number)):
                before[number] = signal.getsignal(number)
                loop.add_signal_handler(number, ending.asked, number)
    try:
        yield ending
    finally:
        for caught, handler in before.items():
            loop.remove_signal_handler(caught)
            signal.signal(caught, handler)
    if ending.number is not None:
        ending.tell_kept()
        before[ending.number](ending.number, None)
