"""The Pythons that peers run in: environments of their own, because their dependencies clash with ours.

Given ones are looked at in turn, and a peer runs in the first that has its module; where none are given, three are made with pip, one for
datatrove, one for trafilatura and one for the other peers.
"""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

DATATROVE = ("datatrove[io,processing]==0.10.1", "spacy>=3.8,<3.9", "lxml_html_clean")
TRAFILATURA = ("trafilatura==2.3.1", "lxml_html_clean")
OTHERS = (
    "daft==0.7.26",
    "gaoya==0.2.2",
    "rensa==0.5.0",
    "datasketch==2.0.0",
    "text-dedup==0.4.0",
    "numpy>=2.4,<3",
    "pyarrow>=25,<27",
    "scipy>=1.17,<2",
    "xxhash>=4.1,<5",
)


def of_peer(module: str, given: Sequence[Path], work: Path) -> Path | None:
    """Return the absolute path of a Python that has a peer's module: a given one, None where none of these has it.

    Where none is given, one is made below WORK.
    """
    if given:
        return next((python.absolute() for python in given if _has(python, module)), None)
    if module == "trafilatura":
        return _made(work / "trafilatura-environment", TRAFILATURA)
    return _made(work / "peer-environment", DATATROVE) if module == "datatrove" else _made(work / "peers-environment", OTHERS)


def _has(python: Path, module: str) -> bool:
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", look], check=False).returncode == 0


def _made(home: Path, packages: Sequence[str]) -> Path:
    python = home / "bin" / "python"
    if not python.exists():
        print(f"installing {' '.join(packages)} in {home}", file=sys.stderr)
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python
