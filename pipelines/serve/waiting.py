"""Pages that take long: a browser gets the frame of the page at once, and the page when it is ready.

A view of millions of documents may take seconds. After `FRAME_AFTER` the server answers with a frame, which shows what is known without
reading a table. The page's script then asks for the same address with the header `WAITS`, which is answered (without content) when the page
is ready, and loads the page again; without a script the browser loads it again every few seconds.

Invariant: a page that is ready and that nobody fetched is forgotten after `FORGOTTEN_AFTER` seconds, so nobody sees an old one.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

FRAME_AFTER = 0.4
"""Seconds that a browser waits for a whole page before it gets the frame."""

WAITS = "Curate-Waits"
FORGOTTEN_AFTER = 60.0


@dataclass
class _Page:
    """A page under way; `ended` is when it was ready."""

    task: "asyncio.Task[str]"
    ended: float | None = None

    @classmethod
    def begun(cls, written: Callable[[], str]) -> "_Page":
        page = cls(asyncio.ensure_future(run_in_threadpool(written)))
        page.task.add_done_callback(page._end)
        return page

    def _end(self, _task: "asyncio.Task[str]") -> None:
        self.ended = time.monotonic()

    def is_old(self) -> bool:
        return self.ended is not None and time.monotonic() - self.ended > FORGOTTEN_AFTER


@dataclass
class Waiting:
    """The pages under way, and those that nobody fetched yet, by address."""

    _pages: dict[str, _Page] = field(default_factory=dict)

    async def page(self, address: str, written: Callable[[], str]) -> str | None:
        """Return a page, or None if it is not ready yet."""
        page = self._page(address, written)
        await asyncio.wait([page.task], timeout=FRAME_AFTER)
        if not page.task.done():
            return None
        self._pages.pop(address, None)
        return page.task.result()

    async def ready(self, address: str, written: Callable[[], str]) -> None:
        """Wait until a page is ready, or has failed."""
        await asyncio.wait([self._page(address, written).task])

    def _page(self, address: str, written: Callable[[], str]) -> _Page:
        self._pages = {name: page for name, page in self._pages.items() if not page.is_old()}
        if address not in self._pages:
            self._pages[address] = _Page.begun(written)
        return self._pages[address]
