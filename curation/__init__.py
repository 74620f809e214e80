"""The core library, and the Python interface of the whole project for notebooks and scripts.

    import curation

    run = curation.run("dedup", "texts.jsonl", "out/texts")      start or continue a run
    run = curation.open_run("out/texts")                         open a finished run
    curation.measure(texts, ["gopher_quality"])                  the signals of plain strings
    curation.deduplicate(texts)                                  find strings that say the same
    curation.extract(html)                                       the main text of a page

The interface is a table of names. Their definitions are above this package, in `pipelines.notebook`, and are imported when a name is first
used (PEP 562): so `import curation`, which every worker process does too, costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.notebook.opened import Run, open_run
    from pipelines.notebook.started import run
    from pipelines.notebook.texts import deduplicate, extract, measure

__all__ = ["Run", "deduplicate", "extract", "measure", "open_run", "run"]

_HOMES = {
    "Run": "pipelines.notebook.opened",
    "deduplicate": "pipelines.notebook.texts",
    "extract": "pipelines.notebook.texts",
    "measure": "pipelines.notebook.texts",
    "open_run": "pipelines.notebook.opened",
    "run": "pipelines.notebook.started",
}
"""Where each name of the interface is defined."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
