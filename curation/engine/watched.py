"""Watching the process one is in: a run with one worker, and each Ray worker, have no driver beside them that could look.

A thread looks at the heartbeat of this process. A record that has held it for longer than its limit ends the process, with a line that
says how to go on. A native parser that holds the interpreter's lock keeps the thread from looking as well: then faulthandler, whose clock
needs no lock and is set anew at every look, shows where the process stands and ends it.
"""

import faulthandler
import os
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from curation.engine import heartbeat

_SLACK = 30.0
"""Seconds by which faulthandler's clock runs later than the thread's own."""


@contextmanager
def watched_here(tell: Callable[[str], None]) -> Iterator[None]:
    """End this process where a record that is taken within holds it for too long."""
    slot = array("Q", [0] * heartbeat.FIELDS)
    done = threading.Event()
    watch = heartbeat.Watch(slot, tell)
    thread = threading.Thread(target=_look, args=(watch, slot, done, tell), name="record watch", daemon=True)
    heartbeat.attach(slot, 0)
    heartbeat.begin(1)
    thread.start()
    try:
        yield
    finally:
        heartbeat.begin(0)
        done.set()
        thread.join()


def _look(watch: heartbeat.Watch, slot: "array[int]", done: threading.Event, tell: Callable[[str], None]) -> None:
    while not done.wait(heartbeat.TICK):
        size = slot[3]
        if watch.look():
            tell(
                f"a record of about {size:,} bytes has held this process for more than {heartbeat.limit_for(size):.0f} s; "
                "what was done is kept: the same command with --workers 2 leaves that record out, as unreadable"
            )
            os._exit(1)
        if size:
            faulthandler.dump_traceback_later(heartbeat.limit_for(size) + _SLACK, exit=True)
    faulthandler.cancel_dump_traceback_later()
