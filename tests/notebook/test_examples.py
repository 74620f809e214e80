"""The examples in examples.md and in docstrings run, and what other thresholds would keep is what a run with them keeps."""

import doctest
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curation
from pipelines.notebook import texts
from tests.running import ROOT

EXAMPLES = ROOT / "pipelines/notebook/examples.md"


@pytest.fixture(scope="module")
def ran(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The names that the examples leave, run in a folder where `out/demo` is the demo's."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "out").mkdir()
    (folder / "out" / "demo").symlink_to(demo_run)
    examples = re.sub(r"^```.*$", "", EXAMPLES.read_text("utf-8"), flags=re.MULTILINE)
    names: dict[str, Any] = {}
    test = doctest.DocTestParser().get_doctest(examples, names, EXAMPLES.name, str(EXAMPLES), 0)
    assert len(test.examples) > 20
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        failed, _ = runner.run(test, out=told.append, clear_globs=False)
    assert not failed, "".join(told)
    return {**test.globs, "run": curation.open_run(demo_run), "other": curation.open_run(folder / "out" / "stricter")}


def test_the_examples_of_the_docstrings_hold() -> None:
    result = doctest.testmod(texts, raise_on_error=True)
    assert result.attempted == 4


@pytest.mark.parametrize(("base", "target", "threshold"), [("run", "other", 100), ("other", "run", 40)])
def test_a_rejudged_run_passes_what_a_run_with_those_thresholds_passes(
    ran: Mapping[str, Any], base: str, target: str, threshold: int
) -> None:
    again = ran[base].rejudge({"gopher_quality.too_few_words": threshold})
    web = ran[base].ledger().filter(pl.col("origin") == "web").select("id")
    would = again.documents().join(web, on="id", how="semi").filter(pl.col("after") != "dropped")
    passed = ran[target].ledger().filter((pl.col("origin") == "web") & pl.col("stage").is_in(["select", "deduplicate"]))
    ids = set(passed.collect()["id"])
    assert set(would.collect()["id"]) == ids
    assert len(ids) > 150
    changed = again.documents().filter(pl.col("fate") != pl.col("after")).collect()
    assert set(changed["after"]) == ({"dropped"} if base == "run" else {"to compare"})


def test_a_comparison_lists_the_documents_behind_its_counts(ran: Mapping[str, Any]) -> None:
    found = ran["run"].compare(ran["other"])
    listed = found.changed_documents().collect()
    assert listed.height == found.changed == found.changes["documents"].sum() > 20
    assert (listed["fate"] != listed["fate_after"]).sum() > 20
    assert f"{found.changed} records go another way" in repr(found)
    assert ran["run"].compare(ran["run"]).changes.is_empty()


def test_the_face_is_lazy_and_tells_its_names() -> None:
    source = (ROOT / "curation/__init__.py").read_text("utf-8")
    told = re.findall(r"^    from (\S+) import (.+)$", source, re.MULTILINE)
    assert {name.strip(): home for home, names in told for name in names.split(",")} == curation._HOMES
    assert set(curation.__all__) == set(curation._HOMES) <= set(dir(curation))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        curation.nothing  # noqa: B018
