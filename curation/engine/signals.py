"""Signals: how a run ends on request, and how its processes end when the process that started them does.

TERM, HUP and INT raise Ended in the main thread of the driver, so that all cleanup runs: run.json says why the run ended, workers are
ended, temporaries are deleted. A second signal ends the process at once. Signals that were ignored when we started (nohup, a background job
of a script) stay ignored. A signal may arrive inside a library's own cleanup, which then fails with another error (a lock that was not
taken again): `ended_told` raises the signal that such an error hides.

A terminal sends INT and HUP to the whole process group. Workers start with both blocked, from their first instruction on, so they print no
tracebacks: the driver alone decides. On Linux the kernel kills a worker when its driver dies (PR_SET_PDEATHSIG), for whatever reason;
elsewhere a thread in the worker checks every second.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from curation.errors import CurationError

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_PR_SET_PDEATHSIG = 1


class Ended(BaseException):
    """A signal asks this process to end. `kept` is the folder of the current run."""

    def __init__(self, number: int) -> None:
        """Tell of the signal by its number."""
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number
        self.kept: str | None = None


@contextmanager
def ended_told() -> Iterator[None]:
    """Raise the Ended that an unexpected error hides. An error with words of its own (a full disk) stays, although a signal came before."""
    try:
        yield
    except (CurationError, OSError):
        raise
    except Exception as error:
        hidden: BaseException | None = error
        while hidden is not None and not isinstance(hidden, Ended):
            hidden = hidden.__cause__ or hidden.__context__
        if hidden is None:
            raise
        raise hidden from None


def raise_on_signals() -> None:
    """Make TERM, HUP and INT raise Ended in the main thread of this process from now on."""
    _handle(_raise)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    _handle(_end_at_once)
    raise Ended(number)


def _end_at_once(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


@contextmanager
def workers_spared() -> Iterator[None]:
    """Block INT and HUP for processes that are started inside; in this process they wait until the block ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Restore our signal handlers on leaving, whatever a library has set inside."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def die_with(parent: int) -> None:
    """End this process when its parent process ends, or at once if the parent has already ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_wait_for_end, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
