"""A run folder from somebody else is safe to look at: nothing that it names is executed, and nothing outside of it is read or written."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from curation.errors import CurationError
from curation.storage.location import Location
from filters.contract import shipped_filters
from pipelines.inspect.earlier_runs import find_earlier, open_earlier
from pipelines.recipes.recipe import parse_recipe
from pipelines.serve.app import application
from pipelines.serve.served import served
from tests.running import CURATE, SMALL_RECIPE, many_files, reworded
from tests.verbs import call

TRAP = """
from pathlib import Path
Path({mark!r}).write_text("executed")
raise SystemExit("the trap was sprung")
"""

SIGNAL = "gopher_quality.words"

LOOKING: dict[str, Callable[[Path, Path], list[object]]] = {
    "inspect": lambda run, _: ["inspect", run],
    "inspect-json": lambda run, _: ["inspect", run, "--json"],
    "signal": lambda run, _: ["inspect", run, "--signal", SIGNAL],
    "at": lambda run, _: ["inspect", run, "--signal", SIGNAL, "--at", "100"],
    "curve": lambda run, _: ["inspect", run, "--signal", SIGNAL, "--curve"],
    "why": lambda run, _: ["why", run, duplicate_in(run)],
    "duplicates": lambda run, _: ["duplicates", run, duplicate_in(run)],
    "diff": lambda run, _: ["diff", run, run],
    "report": lambda run, _: ["report", run],
    "verify": lambda run, _: ["verify", run],
    "buckets": lambda run, elsewhere: ["buckets", run, "--signal", SIGNAL, "--out", elsewhere / "edges.json"],
    "annotate": lambda run, elsewhere: [
        "annotate",
        run,
        "--teachers",
        teacher(elsewhere),
        "--out",
        elsewhere / "a.parquet",
        "--budget",
        0,
    ],
    "export": lambda run, elsewhere: ["export", run, "--out", elsewhere / "exported"],
}
"""Every verb that looks at a run, with a folder to write to where it needs one."""


PAGES = (
    "/",
    "/?against=run",
    f"/signals?signal={SIGNAL}",
    "/lab?t.gopher_quality.too_few_words=20&t.fineweb2.too_few_words=3",
    "/documents",
    "/duplicates",
    "/synthetic",
    "/label",
    f"/api/threshold?signal={SIGNAL}&at=100",
)
"""What `curate serve` shows."""


def pages_of(run: Path) -> Iterator[tuple[int, str]]:
    """Ask a server in this process for its pages; an error that it does not tell in words is raised here."""
    what = served([str(run)], str(run.parent / "labels.parquet"))
    with TestClient(application(what, "token", frozenset({"testserver"})), cookies={"curate": "token"}) as client:
        for page in PAGES:
            answer = client.get(page)
            yield answer.status_code, answer.text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    many_files(folder / "input", files=2, rows=10)
    (folder / "plain.toml").write_text(SMALL_RECIPE)
    assert call("run", folder / "plain.toml", folder / "input/*.jsonl", "--out", folder / "run").code == 0
    return folder / "run"


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Collect the paths of all files that Python code opens, and of all processes and connections that it starts."""
    seen: list[str] = []
    live = True

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if live and event in ("open", "subprocess.Popen", "socket.connect", "os.system"):
            seen.append(f"{event} {values[0]}")

    sys.addaudithook(watch)
    yield seen
    live = False


def teacher(folder: Path) -> Path:
    """Write a file with a teacher that is never reached, for it has no key; the texts of a run are read before."""
    path = folder / "teachers.toml"
    table = {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "key_variable": "ABSENT"}
    path.write_text("[[teacher]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items()))
    return path


def duplicate_in(run: Path) -> str:
    """Return the id of a document that was dropped for another."""
    ledger = pl.read_parquet(sorted((run / "ledger").resolve().glob("*[0-9].parquet")))
    return str(ledger.filter(pl.col("fate") == "duplicate")["id"][0])


def trap(folder: Path) -> tuple[str, Path]:
    """Write a filter that leaves a mark when it is imported; returns its path and that of the mark."""
    mark, evil = folder / "sprung", folder / "evil.py"
    evil.write_text(TRAP.format(mark=str(mark)))
    return str(evil), mark


@pytest.mark.parametrize("verb", LOOKING)
def test_no_verb_that_looks_runs_the_filters_that_a_recipe_names(verb: str, made: Path, tmp_path: Path, opened: list[str]) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    evil, mark = trap(run)
    recipe = f'[[filter]]\nfile = "{evil}"\n\n[[filter]]\nname = "../{tmp_path.name}/run/evil"\n\n[[edit]]\nname = "evil"\n'
    (run / "recipe.toml").write_text(recipe)
    (run / "filters").mkdir()
    for package in (run, run / "filters", run / "pipelines", run / "files" / ("0" * 64)):
        package.mkdir(parents=True, exist_ok=True)
        shutil.copy(evil, package / "gopher_quality.py")
        shutil.copy(evil, package / "sitecustomize.py")
    opened.clear()
    said = call(*LOOKING[verb](run, tmp_path))
    assert not mark.exists()
    assert said.code in (0, 2, 3), said
    assert not [path for path in opened if "evil" in path or path.startswith(("subprocess", "socket", "os.system"))]


FILE_FILTERS = {name: sorted(chosen.file_fields) for name, chosen in shipped_filters().items() if chosen.file_fields}


def test_no_page_runs_or_reads_what_a_recipe_names(made: Path, tmp_path: Path, opened: list[str]) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    evil, mark = trap(run)
    tables = "".join(
        f'[[filter]]\nname = "{name}"\n' + "".join(f"{key} = {value}\n" for key in keys)
        for name, keys in FILE_FILTERS.items()
        for value in (json.dumps(evil), json.dumps([evil]))
    )
    rule = {"signal": SIGNAL, "threshold": 1.0, "drops": "below", "own": None, "bounds": None}

    def name_files(rules: dict[str, Any]) -> None:
        rules["text"] = f'[[filter]]\nname = "gopher_quality"\nfile = "{evil}"\n{tables}'
        rules["rules"] += [{**rule, "name": f"{name}.too_few_words"} for name in FILE_FILTERS]

    reworded(run / "rules.json", name_files)
    opened.clear()
    asked = "&".join(f"t.{name}.too_few_words=3" for name in FILE_FILTERS)
    what = served([str(run)], str(tmp_path / "labels.parquet"))
    with TestClient(application(what, "token", frozenset({"testserver"})), cookies={"curate": "token"}) as client:
        lab = client.get(f"/lab?t.gopher_quality.too_few_words=20&{asked}")
    answers = [(lab.status_code, lab.text), *pages_of(run)]
    assert {status for status, _ in answers} <= {200, 400}, answers
    assert len(FILE_FILTERS) >= 7
    assert not mark.exists()
    assert not [path for path in opened if "evil" in path or path.startswith(("subprocess", "os.system"))]


@pytest.mark.parametrize(
    ("record", "change"),
    [
        ("run.json", lambda content: content.update(sessions=[[]])),
        ("run.json", lambda content: content.update(sessions=[{"stages": [{"made": 1}], "versions": 3}])),
        ("stages/4f-compare/000000.json", lambda content: content["counts"].update(documents="many")),
        ("stages/1-ingest/*[0-9].json", lambda content: content["counts"].update(files=[3])),
        ("dataset/manifest.json", lambda content: content.update(shards="none")),
        ("rules.json", lambda content: content.update(text="[" * 5000)),
        ("rules.json", lambda content: content.update(text="filter = 3")),
    ],
)
def test_records_of_odd_types_are_told_in_words_on_every_page(record: str, change: Callable[..., Any], made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    reworded(next(run.glob(record)), change)
    answers = list(pages_of(run))
    assert {status for status, _ in answers} <= {200, 400}
    assert len(answers) == len(PAGES)
    assert sum(status == 200 for status, _ in answers) > 3


def test_a_sidecar_whose_facts_are_none_is_not_believed(made: Path, tmp_path: Path) -> None:
    run, met = shutil.copytree(made, tmp_path / "run"), 0
    for number, odd in ((0, 1.5), (1, "s3://x/y"), (2, True), (3, None)):
        for sidecar in sorted(run.glob("stages/4[cd]*/000000.json")):
            reworded(sidecar, lambda content, number=number, odd=odd: content["outputs"][0].__setitem__(number, odd))
            met += 1
        said = call("run", made.parent / "plain.toml", made.parent / "input/*.jsonl", "--out", run)
        assert said.code == 0, said.all
        assert call("verify", run).code == 0
    assert met >= 12


@pytest.mark.parametrize("verb", [verb for verb in LOOKING if verb not in ("annotate", "buckets", "diff", "duplicates", "verify")])
def test_rules_that_hold_odd_things_are_refused_in_words(verb: str, made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    met = 0
    for change in (
        lambda rules: rules.update(rules=[{"file": "evil.py"}]),
        lambda rules: rules.update(rules="__import__('os').system('true')"),
        lambda rules: rules["rules"][0].update(threshold="1 and __import__('os')"),
        lambda rules: rules["rules"][0].update(name="\x1b]0;owned\x07"),
        lambda rules: rules["rules"][0].update(drops="sideways"),
        lambda rules: rules.update(comparing={"against": ["s3://elsewhere/run"]}),
        lambda rules: rules.pop("license"),
    ):
        shutil.copy(made / "rules.json", run / "rules.json")
        reworded(run / "rules.json", change)
        said = call(*LOOKING[verb](run, tmp_path))
        assert said.code in (1, 2), said
        assert "rules.json" in said.out + said.err
        assert "\x1b" not in said.out + said.err
        met += 1
    (run / "rules.json").write_text("[" * 100_000)
    said = call(*LOOKING[verb](run, tmp_path))
    assert "rules.json is damaged" in said.out + said.err
    (run / "rules.json").unlink()
    said = call(*LOOKING[verb](run, tmp_path))
    assert "has no rules.json" in said.out + said.err
    assert met == 7


@pytest.mark.parametrize("verb", LOOKING)
def test_a_link_that_leads_out_of_the_folder_is_not_followed(verb: str, made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    secret = shutil.copytree(made / "ledger", tmp_path / "secret")
    shutil.rmtree(run / "ledger")
    (run / "ledger").symlink_to(secret)
    said = call(*LOOKING[verb](run, tmp_path))
    assert said.code == 3, said
    assert "is a link that leads out of" in said.out + said.err


def test_the_report_of_a_folder_with_markup_in_every_name_holds_none_of_it(made: Path, tmp_path: Path) -> None:
    run = shutil.copytree(made, tmp_path / "run")
    marked = '"><script>alert(1)</script>'

    def mark(rules: dict[str, Any]) -> None:
        rules |= {"name": marked, "description": marked, "text": f"</pre>{marked}", "license": marked}
        for rule in rules["rules"]:
            rule["name"] += marked

    reworded(run / "rules.json", mark)
    assert call("report", run).code == 0
    page = (run / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 3


def test_a_recipe_held_against_a_trapped_run_runs_nothing_of_it(made: Path, tmp_path: Path) -> None:
    earlier = shutil.copytree(made, tmp_path / "earlier")
    evil, mark = trap(tmp_path)
    (earlier / "recipe.toml").write_text(f'[[filter]]\nfile = "{evil}"\n')
    against = SMALL_RECIPE.replace("[deduplicate]", f"[deduplicate]\nagainst = {json.dumps([str(earlier)])}")
    (tmp_path / "held.toml").write_text(against)
    said = call("run", tmp_path / "held.toml", made.parent / "input/*.jsonl", "--out", tmp_path / "out")
    assert said.code == 0, said
    assert not mark.exists()
    settings = parse_recipe(against, "held").deduplicate
    assert settings is not None
    sidecar = next((earlier / "stages/1-ingest").glob("*[0-9].json"))
    reworded(sidecar, lambda content: content["outputs"][0].__setitem__(0, "../../../secret.parquet"))
    with pytest.raises(CurationError, match="is not whole"):
        open_earlier(settings, Location.of(tmp_path / "new"))


def test_records_that_name_places_outside_of_the_folder_are_faults_and_nothing_there_is_read(made: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.parquet"
    secret.write_bytes(b"not for others")
    met = 0
    for record, change in (
        ("contents.json", lambda content: content["files"].update({"../secret.parquet": [14, "0" * 64]})),
        ("contents.json", lambda content: content["files"].update({str(secret): [14, "0" * 64]})),
        ("contents.json", lambda content: content.update(live=["../secret.parquet", "s3://elsewhere/run.json"])),
        ("dataset/manifest.json", lambda content: content["shards"][0].update(file="../../secret.parquet")),
        ("dataset/manifest.json", lambda content: content["shards"][0].update(file="s3://elsewhere/data.parquet")),
        ("run.json", lambda content: content["sessions"][0].update(against=[{"run": "0" * 16, "place": "http://127.0.0.1:9/run"}])),
    ):
        run = shutil.copytree(made, tmp_path / f"run-{met}")
        reworded(run / record, change)
        before = secret.stat().st_atime_ns
        said = call("verify", run, "--json")
        assert hashlib.sha256(secret.read_bytes()).hexdigest() not in said.out
        assert secret.stat().st_atime_ns == before or said.code == 3
        assert said.code == (0 if record == "run.json" else 3), said
        assert call("inspect", run).code == 0
        met += 1
    assert met == 6
    place, fault = find_earlier(Location.of(run), "0" * 16)
    assert (place, "where no run can" in fault) == (None, True)


@pytest.mark.parametrize(
    "name", ["run.json", ".lock", *(pytest.param(name, marks=pytest.mark.full) for name in ("rules.json", "contents.json"))]
)
def test_a_pipe_in_the_place_of_a_record_holds_nobody_up(name: str, made: Path, tmp_path: Path) -> None:
    """In processes of their own, which a pipe that nobody writes to would hold up for ever."""
    run = shutil.copytree(made, tmp_path / "run")
    for record in {name, "contents.json"}:
        (run / record).unlink(missing_ok=True)
    os.mkfifo(run / name)
    for verb in (["inspect", run], ["report", run], ["verify", run]):
        said = subprocess.run([str(CURATE), *map(str, verb)], capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode in (0, 1, 2, 3), said
        assert "Traceback" not in said.stderr
