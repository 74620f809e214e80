"""A node is refused before work starts if it lacks the driver's code, an input, or an earlier run that texts are compared with."""

from pathlib import Path

from curation.engine.node_check import fault_of_this_node
from curation.storage.digests import code_digest
from curation.storage.location import Location
from pipelines.pipeline import looked_at


def test_one_file_of_each_input_folder_and_every_earlier_run_are_looked_at(tmp_path: Path) -> None:
    inputs = [tmp_path / folder / name for folder in ("a", "b") for name in ("1.jsonl", "2.jsonl")]
    runs = [tmp_path / "run-1", tmp_path / "run-2"]
    for path in (*inputs, *(run / "run.json" for run in runs)):
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    needed = looked_at([Location.of(run) for run in runs], [Location.of(path) for path in inputs])
    assert [Path(place.path).relative_to(tmp_path).as_posix() for place in needed] == [
        "run-1/run.json",
        "run-2/run.json",
        "a/2.jsonl",
        "b/2.jsonl",
    ]
    seen = tuple(map(str, needed))
    assert fault_of_this_node(code_digest(), seen) == ""
    (gone,) = looked_at([Location.of(tmp_path / "run-3")], [])
    assert f"it does not see {gone}" in fault_of_this_node(code_digest(), (*seen, str(gone)))
    assert "different code" in fault_of_this_node("0" * 64, seen)
