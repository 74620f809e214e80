"""Running a script with the peer's Python."""

import os
import subprocess
from pathlib import Path

import pytest

VARIABLE = "CURATION_PEER_PYTHON"
needs_peer = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} does not name the Python of an environment with datatrove")


def run_peer(script: str, *arguments: object) -> str:
    """Run a script of this folder with the peer's Python; return what it printed."""
    command = [os.environ[VARIABLE], Path(__file__).with_name(script), *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script} failed\n{done.stdout}\n{done.stderr}"
    return done.stdout
