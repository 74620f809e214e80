"""Self-watching: a run with one worker, and each Ray worker, must watch its own process because no driver is beside it.

A thread reads the heartbeat of this process. A record that exceeds its limit ends the process, with a line that says how to continue. A
native parser that holds the interpreter lock blocks this thread too. Then faulthandler, whose timer needs no lock and is reset at every
check, prints where the process is and ends it.
"""

import faulthandler
import os
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from curation.engine import heartbeat

_SLACK = 30.0
"""Seconds that faulthandler waits longer than the thread."""


@contextmanager
def watched_here(tell: Callable[[str], None]) -> Iterator[None]:
    """End this process if a record that is processed inside the block takes too long."""
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
                f"a record of about {size:,} bytes has kept this process busy for more than {heartbeat.limit_for(size):.0f} s; "
                "finished work is kept; the same command with --workers 2 leaves this record out as unreadable"
            )
            os._exit(1)
        if size:
            faulthandler.dump_traceback_later(heartbeat.limit_for(size) + _SLACK, exit=True)
    faulthandler.cancel_dump_traceback_later()
