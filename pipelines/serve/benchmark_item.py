"""The text of the benchmark item that a document contains.

The run's recipe names the benchmark files. They belong to this project, or to the user; the run keeps the user's in OUT/files. No other
file is opened, because a recipe in a run folder may name any path.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from curation.errors import InputError
from curation.storage.location import Location
from curation.storage.resources import is_shipped, resolve
from filters.benchmark_overlap import BenchmarkOverlap
from filters.support.benchmark_items import read_items

_MOST_BYTES = 256 << 20


def item_text(out: Location, evidence: Mapping[str, Any], recipe: Mapping[str, Any]) -> str | None:
    """Return the text of the item that the ledger's evidence names, or None if its file is missing."""
    benchmark, name = evidence.get("benchmark"), evidence.get("item")
    filters = recipe.get("filter")
    for table in filters if isinstance(filters, list) else []:
        if not isinstance(table, dict) or table.get("name") != BenchmarkOverlap.name() or not isinstance(name, str):
            continue
        given = table.get("fields")
        fields = [str(field) for field in given] if isinstance(given, list) else BenchmarkOverlap.fields
        for path in _files(out, table.get("benchmarks")):
            if path.name.split(".")[0] == benchmark:
                with suppress(InputError):
                    return next((item.text for item in read_items(path, fields) if item.name == name), None)
    return None


def _files(out: Location, named: Any) -> Iterator[Path]:
    """Yield the existing benchmark files that a recipe names."""
    carried = (out / "files").files(recursive=True) if out.is_local else []
    for path in named if isinstance(named, list) else []:
        if is_shipped(str(path)):
            with suppress(InputError):
                yield resolve(path)
            continue
        same = [facts for facts in carried if facts.location.name == str(path).rsplit("/", 1)[-1] and facts.size <= _MOST_BYTES]
        yield from (Path(facts.location.path) for facts in same)
