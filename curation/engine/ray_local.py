"""A local Ray cluster: who may use it, and that none of its processes outlives the run.

Ray's processes start with two variables of ours in their environment, which only their owner can read. The token lets nobody else use the
cluster. The mark finds the processes again: Ray's workers end when they lose their raylet, but a worker that is just starting first waits a
minute for a cluster that has gone (seen when TERM reached the whole process group).
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_MARK = "CURATION_RAY_CLUSTER"
_PATIENCE = 5.0
"""Seconds to wait for killed processes; only one that hangs in the kernel needs longer."""


class LocalCluster:
    """A cluster that this process starts and ends."""

    def __init__(self) -> None:
        """Choose the cluster's mark, and its token unless the user has set one."""
        self._mark = uuid.uuid4().hex
        if "RAY_AUTH_TOKEN_PATH" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ:
            os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex + uuid.uuid4().hex

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Mark every process that is started inside, and whatever these start later."""
        os.environ[_MARK] = self._mark
        try:
            yield
        finally:
            del os.environ[_MARK]

    def end(self) -> None:
        """Kill what is left of the cluster, until a look finds nothing: a dying raylet may still start a worker."""
        while left := self.processes():
            for process in left:
                _kill(process)
            _, hanging = psutil.wait_procs(left, timeout=_PATIENCE)
            if hanging:
                return

    def processes(self) -> list[psutil.Process]:
        """Return the cluster's processes that live."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE)
        except (psutil.Error, OSError):
            return False


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
