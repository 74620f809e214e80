"""Bytes under a version: what every stage makes of sample_data is pinned, so that code cannot change output and keep its version.

`golden.json` holds, for every stage of the `demo` run in the order in which they ran, its version, the digest of all else its key depends
on (fields with the versions of their parts, files, requests to a teacher), the versions of its packages, and a digest of the rows it made.
Resume skips what has an old key; a stage that makes other rows under an old version would silently mix old and new shards in one run. The
first stage whose rows differ is the one to look at, for what it read is unchanged; those after it read what it made.

Rows are compared, not file bytes, and floats by six digits, so that another pyarrow or another processor is not a change.

    python -m tests.test_golden      writes the table again; refuses while a stage makes other rows under its old version
"""

import dataclasses
import gzip
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.running import ROOT, curate, stages

TABLE = Path(__file__).with_name("golden.json")
COMMAND = "python -m tests.test_golden"
INPUTS = "0-inputs"
_DIGITS = 6


@dataclass(frozen=True)
class Pinned:
    """What is pinned of a stage: `settings` and `rows` are digests."""

    version: int
    settings: str
    packages: dict[str, str]
    rows: str


def canonical(value: Any) -> Any:
    """Return a value as JSON has it, floats to six digits, maps as lists of pairs."""
    if isinstance(value, float):
        rounded = round(value, _DIGITS)
        return 0.0 if rounded == 0 else repr(rounded)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: canonical(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(inner) for inner in value]
    return value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(canonical(value), sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]


def rows_of(path: Path) -> list[Any]:
    """Return a shard's columns (names and types), then its rows."""
    if path.name.endswith(".gz"):
        return gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    table = pq.read_table(path)
    return [[[field.name, str(field.type)] for field in table.schema], *table.to_pylist()]


def asked(shards: list[Path]) -> list[Any]:
    """Return the keys of the requests in shards of replies: what those depend on is not in the stage, but in what is asked of a teacher."""
    replies = [path for path in shards if path.suffix == ".parquet" and "request_key" in pq.read_schema(path).names]
    return [pq.read_table(path, columns=["request_key"])["request_key"].to_pylist() for path in replies]


def inputs_digest() -> str:
    """Return the digest of what the demo run reads: the recipe, and the files of sample_data."""
    files = [ROOT / "pipelines/recipes/demo.toml", *(ROOT / "sample_data").glob("*.warc.gz"), *(ROOT / "sample_data").glob("*/*.jsonl")]
    return digest({path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})


def golden_of(out: Path) -> dict[str, Pinned]:
    """Return what there is to pin of a run, stage by stage, in the order in which they ran."""
    found = {INPUTS: Pinned(1, "", {}, inputs_digest())}
    for name in stages(out):
        sidecars = {path.name: json.loads(path.read_bytes()) for path in sorted((out / "stages" / name).glob("*.json"))}
        identity = sidecars.pop("_seal.json")["identity"]
        shards = sorted({out / content["folder"] / file for content in sidecars.values() for file, *_ in content["outputs"]})
        of_parts = [identity["parts"]] if "parts" in identity else []  # versions of the extractor and the edits
        settings = digest([identity["fields"], identity["files"], asked(shards), *of_parts])
        rows = digest([[path.name, rows_of(path)] for path in shards])
        found[name] = Pinned(identity["version"], settings, identity["packages"], rows)
    return found


def pinned() -> dict[str, Pinned]:
    return {name: Pinned(**facts) for name, facts in json.loads(TABLE.read_text("utf-8")).items()}


def broken_promise(before: dict[str, Pinned], after: dict[str, Pinned]) -> str | None:
    """Return what is wrong where the first stage that makes other rows has its old version and read what it read before, else None."""
    for name, now in after.items():
        then = before.get(name)
        if then == now:
            continue
        if then is None or then.rows == now.rows or then.settings != now.settings or then.version != now.version or name == INPUTS:
            return None
        other = {package: (then.packages.get(package), version) for package, version in now.packages.items()}
        moved = [f"{package} {old} -> {new}" for package, (old, new) in other.items() if old != new]
        why = f"; its packages changed ({', '.join(moved)}), so look whether the new rows are right" if moved else ""
        fix = f"bump the version of stage {name}, or of the filter, edit, extractor, task or teacher in it that changed, then run {COMMAND}"
        return f"stage {name} makes other rows under its version {now.version}{why}: {fix}"
    return None


def test_no_stage_makes_other_rows_under_an_old_version(demo_run: Path) -> None:
    before, after = pinned(), golden_of(demo_run)
    fault = broken_promise(before, after)
    assert fault is None, fault
    changed = sorted(name for name in before.keys() | after.keys() if _promise(before.get(name)) != _promise(after.get(name)))
    assert not changed, f"the inputs, settings or versions of {changed} changed: look whether the new rows are right, then run {COMMAND}"


def _promise(facts: Pinned | None) -> tuple[Any, ...] | None:
    """Return what must be as the table says; versions of packages may differ where the rows do not."""
    return facts and (facts.version, facts.settings, facts.rows)


def test_the_table_catches_a_change_without_a_new_version() -> None:
    table = pinned()
    measure = table["2-measure"]
    other_rows = {**table, "2-measure": dataclasses.replace(measure, rows="0" * 32), "3-judge": dataclasses.replace(measure, rows="1" * 32)}
    assert "bump the version of stage 2-measure, or" in str(broken_promise(table, other_rows))
    assert broken_promise(table, table) is None
    bumped = {**other_rows, "2-measure": dataclasses.replace(measure, rows="0" * 32, version=measure.version + 1)}
    assert broken_promise(table, bumped) is None
    moved = {**other_rows, "2-measure": dataclasses.replace(measure, rows="0" * 32, packages={**measure.packages, "numba": "9.9"})}
    assert "numba" in str(broken_promise(table, moved))
    assert broken_promise(table, {**other_rows, INPUTS: dataclasses.replace(table[INPUTS], rows="0" * 32)}) is None


@pytest.mark.parametrize(("value", "same"), [(0.1234567, 0.1234571), (-1e-9, 0.0), (float("nan"), float("nan")), (b"\x01", "01")])
def test_what_counts_as_the_same_value(value: Any, same: Any) -> None:
    assert digest([value]) == digest([same])
    assert digest([0.123456]) != digest([0.123457])


def main() -> None:
    """Run the demo and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        curate("run", "demo", "--out", Path(folder) / "out")
        after = golden_of(Path(folder) / "out")
    fault = broken_promise(pinned(), after) if TABLE.exists() else None
    if fault:
        sys.exit(fault)
    TABLE.write_text(json.dumps({name: dataclasses.asdict(facts) for name, facts in after.items()}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
