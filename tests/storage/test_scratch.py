"""Scratch of a process that was killed is removed by the next one; that of a live process, and what others have there, stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.running import ROOT

HOLD = """
import time
from curation.storage.scratch import scratch
(scratch() / "half").write_text("half")
print(scratch(), flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True)


def test_scratch_of_the_dead_is_removed(tmp_path: Path) -> None:
    (tmp_path / "curate-scratch-mine").mkdir()
    (tmp_path / "curate-scratch-mine/notes").write_text("no lock, so not ours")
    processes = [holder(tmp_path)]
    try:
        folders = [Path(processes[0].stdout.readline().strip())]
        processes.append(holder(tmp_path))
        folders.append(Path(processes[1].stdout.readline().strip()))
        assert (folders[0] / "half").exists()  # it lives
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        processes.append(holder(tmp_path))
        assert processes[2].stdout.readline()
        assert not folders[0].exists()
        assert (folders[1] / "half").exists()
        assert (tmp_path / "curate-scratch-mine/notes").exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
