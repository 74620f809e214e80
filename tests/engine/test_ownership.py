"""Ownership: nothing that we did not make is written over or deleted, whatever the verb, before a run, after it and in between."""

import json
import random
import shutil
from pathlib import Path

import pytest

from curation.engine import leftovers
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Job, Unit, Workspace
from curation.errors import CurationError, Refused, ShardsFailed, UsageError
from curation.storage.journal import Journal, is_torn, read_journal
from curation.storage.location import Location
from curation.storage.ownership import claim, write_ours
from pipelines.cli import app
from tests.running import curate
from tests.toy_stages import Count
from tests.verbs import call

ROWS = "".join(
    json.dumps({"id": f"row-{number}", "text": f"Row {number} tells of the tide, which follows the moon around the earth twice a day."})
    + "\n"
    for number in range(6)
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(folder: Path, name: str, content: str = "mine\n") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


FOREIGN = [
    "dataset/data/mine.parquet",
    "ledger/mine.parquet",
    "stages/1-ingest/mine.json",
    "dataset/README.md",
    "report.html",
    "recipe.toml",
]


@pytest.mark.parametrize("name", [*FOREIGN, "run.json", ".lock", ".hidden", "a/b/c/deep.txt"])
def test_a_folder_that_holds_no_run_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    with pytest.raises(Refused, match="no run of ours") as told:
        claim(Location.of(tmp_path))
    assert name in str(told.value)


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    """Such a folder may be somebody else's; it is refused before the first byte, not at the report."""
    (tmp_path / "recipe.toml").write_text('[extractor]\nname = "plain"\n')
    put(tmp_path, "rows.jsonl", ROWS)
    run = ("run", tmp_path / "recipe.toml", tmp_path / "rows.jsonl", "--out")
    assert call(*run, tmp_path / "whole").code == 0
    met = 0
    for number, name in enumerate(("stages", "ledger", "dataset", "report.html", "run.json", "replies/x")):
        secret, out = tmp_path / f"secret-{number}", tmp_path / f"out-{number}"
        put(secret, "x.txt")
        if name != "stages":
            shutil.copytree(tmp_path / "whole", out)
            shutil.rmtree(out / name, ignore_errors=True)
            (out / name).unlink(missing_ok=True)
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).symlink_to(secret)
        for command in (run, ("export", tmp_path / "whole", "--out")):
            said = call(*command, out)
            assert (said.code, "is a link that leads out of" in said.all) == (3, True), said.all
            assert contents(secret) == {"x.txt": b"mine\n"}
            met += 1
    assert met == 12


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    put(tmp_path, "file")
    (tmp_path / "nowhere").symlink_to("absent")
    for path in ("file", "file/below/it", "nowhere", "nowhere/below/it"):
        with pytest.raises(UsageError, match=f"{path.partition('/')[0]} is no folder"):
            claim(Location.of(tmp_path / path))
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    claim(Location.of(tmp_path / "linked/out"))


def test_empty_folders_and_our_own_empty_lock_are_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "dataset" / "data").mkdir(parents=True)
    (tmp_path / ".lock").touch()
    claim(Location.of(tmp_path))
    claim(Location.of(tmp_path / "not there"))


def test_a_session_marks_its_folder_before_anything_else(tmp_path: Path) -> None:
    with Session.open(Location.of(tmp_path), LocalRunner(), recipe="web"):
        mark = json.loads((tmp_path / "run.json").read_text())
        assert (mark["made_by"], mark["recipe"]) == ("textbook-curation", "web")
    with pytest.raises(Refused, match=r"'web'.*'c4'.*--replace"):
        claim(Location.of(tmp_path), "c4")
    claim(Location.of(tmp_path), "c4", replace=True)
    claim(Location.of(tmp_path), "web")


def test_a_folder_from_before_the_mark_is_known_by_its_sessions(tmp_path: Path) -> None:
    put(tmp_path, "run.json", json.dumps({"sessions": [{"recipe": "demo"}]}))
    claim(Location.of(tmp_path), "demo")
    with pytest.raises(Refused, match="'demo'"):
        claim(Location.of(tmp_path), "web")


def test_a_fixed_name_is_written_over_only_where_it_is_ours(tmp_path: Path) -> None:
    place = Location.of(tmp_path / "report.html")
    write_ours(place, b"made by textbook-curation, first")
    write_ours(place, b"made by textbook-curation, second")
    assert place.read_bytes().endswith(b"second")
    mine = put(tmp_path, "other.html")
    with pytest.raises(Refused, match="was not written by this program"):
        write_ours(Location.of(mine), b"made by textbook-curation")
    assert mine.read_text() == "mine\n"


def command(*arguments: object) -> tuple[int, str]:
    """Give a command in this process; return its exit code and what it says of a failure."""
    try:
        app([str(argument) for argument in arguments], standalone_mode=False)
    except CurationError as error:
        return error.exit_code, str(error)
    return 0, ""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `dedup`, which no test changes."""
    folder = tmp_path_factory.mktemp("ours")
    (folder / "rows.jsonl").write_text(ROWS)
    assert command("run", "dedup", folder / "rows.jsonl", "--out", folder / "out") == (0, "")
    return folder


def test_verbs_refuse_a_folder_of_others_and_leave_it_as_it_is(tmp_path: Path, ours: Path) -> None:
    met = 0
    for name in FOREIGN:
        theirs = tmp_path / f"theirs-{met}"
        put(theirs, name)
        (theirs / "ledger").mkdir(exist_ok=True)
        before = contents(theirs)
        for given in (
            ("run", "dedup", ours / "rows.jsonl", "--out", theirs),
            ("export", ours / "out", "--out", theirs),
            ("report", theirs),
        ):
            code, told = command(*given)
            assert (code, "no run of ours" in told) == (3, True), given
            assert contents(theirs) == before
            met += 1
    assert met == 3 * len(FOREIGN)


@pytest.mark.parametrize("below", ["dataset", "dataset/data", "ledger", "stages/1-ingest", "index", "replies"])
def test_nothing_is_put_inside_a_run(tmp_path: Path, ours: Path, below: str) -> None:
    """Readers of the outer folder would take the inner run's shards for its own."""
    shutil.copytree(ours / "out", tmp_path / "out")
    before = contents(tmp_path)
    inner = tmp_path / "out" / below / "inner"
    for given in (("run", "dedup", ours / "rows.jsonl", "--out", inner), ("export", ours / "out", "--out", inner)):
        code, told = command(*given)
        assert (code, "is inside the" in told) == (2, True), given
    assert contents(tmp_path) == before
    assert command("run", "dedup", ours / "rows.jsonl", "--out", tmp_path / "index" / "other") == (0, "")


def test_the_command_line_refuses_with_one_line(tmp_path: Path, ours: Path) -> None:
    put(tmp_path, "dataset/data/mine.parquet")
    told = curate("run", "dedup", ours / "rows.jsonl", "--out", tmp_path, code=3)
    assert told.startswith("curate: ")
    assert told.count("\n") == 1
    assert "--out DIR" in curate("run", "dedup", ours / "rows.jsonl", code=2, cwd=tmp_path)
    assert sorted(contents(tmp_path)) == ["dataset/data/mine.parquet"]


def test_another_recipe_needs_to_be_told_to_replace(tmp_path: Path, ours: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(ours / "out", out)
    before = contents(out)
    code, told = command("run", "score", ours / "rows.jsonl", "--out", out)
    assert (code, "'dedup'" in told, "'score'" in told, "--replace" in told) == (3, True, True, True)
    assert contents(out) == before
    assert command("run", "score", ours / "rows.jsonl", "--out", out, "--replace") == (0, "")
    assert json.loads((out / "run.json").read_text())["recipe"] == "score"
    assert not list(out.glob("stages/4*/*"))
    assert command("export", ours / "out", "--out", out)[0] == 3


def test_a_damaged_mark_does_not_make_a_stranger_of_a_run(tmp_path: Path, ours: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(ours / "out", out)
    for content in ("{", None):
        (out / "run.json").write_text(content) if content else (out / "run.json").unlink()
        assert command("run", "dedup", ours / "rows.jsonl", "--out", out) == (0, "")
    (out / "run.json").unlink()
    (out / ".lock").unlink()
    assert command("run", "dedup", ours / "rows.jsonl", "--out", out)[0] == 3


def stranger(chance: random.Random, out: Path, number: int) -> str:
    """Return the path of a file that a stranger might put into a run: odd places, and names next to ours."""
    folders = ["", *sorted({path.parent.relative_to(out).as_posix() for path in out.rglob("*.*") if path.is_file()}), "own", "stages/9-own"]
    folder = chance.choice([folder for folder in folders if not folder.startswith("replies")])
    near = chance.choice(sorted(path.name for path in (out / "stages").rglob("*.*") if path.is_file()))
    stem, _, ending = near.partition(".")
    name = chance.choice(
        [
            f"mine-{number}.{ending}",
            f"{stem}-{number}.{ending}",
            f"{stem}-{number:05d}.parquet",
            f"mine-{number}.names",
            f".tmp-{number}",
            f".tmp-{chance.randbytes(16).hex()}-mine.parquet",
            f".tmp-{chance.randbytes(16).hex()}-{stem}-x.parquet",
            f"{number}.txt",
            f".hidden-{number}",
        ]
    )
    return f"{folder}/{name}".lstrip("/")


BODIES = [
    "mine\n",
    "",
    "{}",
    '{"key": 1}',
    json.dumps({"key": "0", "folder": "..", "outputs": [["mine.parquet", 1, 1, "0"]], "counts": {}}),
]


def test_strangers_are_as_they_were_after_runs_that_drift(tmp_path: Path, ours: Path) -> None:
    """Sprinkled into a run, strangers outlive resumes, another input, another recipe; shards among ledger and dataset are refused."""
    chance, met, refused, told_of = random.Random(20261128), 0, 0, 0
    out = tmp_path / "out"
    other = put(tmp_path, "other.jsonl", ROWS.replace("row-", "line-").replace("tide", "sea"))
    for turn in range(6):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(ours / "out", out)
        placed = {stranger(chance, out, number): chance.choice(BODIES) for number in range(30)}
        for name, body in placed.items():
            put(out, name, body)
        before = {name: (out / name).read_bytes() for name in placed}
        inputs = [(ours / "rows.jsonl",), (other,), (ours / "rows.jsonl", other)][turn % 3]
        replaced = ("--replace",) if turn % 2 or ours / "rows.jsonl" not in inputs else ()
        given = ("run", ("dedup", "score")[turn % 2], *inputs, "--out", out, *replaced)
        code, told = command(*given)
        public = [name for name in placed if name.startswith(("ledger/", "dataset/")) and name.endswith((".parquet", ".jsonl.gz"))]
        public = [name for name in public if not name.rpartition("/")[2].startswith(".")]
        if public:
            assert code == 3
            assert any(str(out / name) in told for name in public)
            refused += 1
            for name in public:
                (out / name).unlink()
                del before[name]
            code, told = command(*given)
        assert (code, told) == (0, "")
        told_of += sum((out / name).exists() for name in before)
        assert {name: (out / name).read_bytes() for name in before} == before
        met += len(placed)
    assert met > 150
    assert refused >= 2
    assert told_of > 120


def test_a_run_tells_the_strangers_by_name(tmp_path: Path, ours: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(ours / "out", out)
    put(out, "stages/1-ingest/mine.json")
    put(out, "dataset/notes.txt")
    told = call("run", "dedup", ours / "rows.jsonl", "--out", out)
    assert told.code == 0
    assert "left unchanged" in told.err
    assert "stages/1-ingest/mine.json" in told.err.replace("\n", "")
    assert "dataset/notes.txt" in told.err.replace("\n", "")


def test_a_record_is_not_written_over_a_stranger(tmp_path: Path) -> None:
    put(tmp_path, "run.json", json.dumps({"made_by": "textbook-curation"}))
    mine = put(tmp_path, "stages/1-count/unit.json", "{}")
    with Session.open(Location.of(tmp_path), LocalRunner()) as session, pytest.raises(Refused, match="move or delete it"):
        session.run(Count(), [Unit("unit")])
    assert mine.read_text() == "{}"
    mine.unlink()
    shard = put(tmp_path, "stages/1-count/unit.parquet")
    with Session.open(Location.of(tmp_path), LocalRunner()) as session, pytest.raises(ShardsFailed, match="was not made by this run"):
        session.run(Count(), [Unit("unit")])
    assert shard.read_text() == "mine\n"


def test_a_shard_without_its_sidecar_is_ours_by_its_journal(tmp_path: Path) -> None:
    """The crash window: the shard is in place, its sidecar was never written, and the next run has no such unit."""
    out = Location.of(tmp_path)
    space = Workspace(out)
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("kept")])
    job = Job(Count(), Unit("gone"), "", space)
    job.stage.make(job.unit, job.output())
    mine = put(tmp_path, "stages/1-count/gone-00001.parquet")
    temporary = put(tmp_path, f"stages/1-count/.tmp-{'0' * 32}-gone.parquet")
    assert (tmp_path / "stages/1-count/gone.parquet").exists()
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("kept")])
    assert {path.name for path in (tmp_path / "stages/1-count").iterdir()} == {"kept.parquet", "kept.json", "_seal.json", mine.name}
    assert not temporary.exists()


def test_a_damaged_sidecar_is_ours_by_the_seal(tmp_path: Path) -> None:
    for content in (b"{", b""):
        with Session.open(Location.of(tmp_path), LocalRunner()) as session:
            session.run(Count(), [Unit("unit"), Unit("other")])
        (tmp_path / "stages/1-count/unit.json").write_bytes(content)
    with Session.open(Location.of(tmp_path), LocalRunner()) as session:
        session.run(Count(), [Unit("other")])
    assert sorted(path.name for path in (tmp_path / "stages/1-count").iterdir()) == ["_seal.json", "other.json", "other.parquet"]


def test_a_record_leads_nowhere_else(tmp_path: Path) -> None:
    """A sidecar that names a file outside the folders of a run gets nothing deleted."""
    mine = [put(tmp_path, name) for name in ("mine.parquet", "replies/mine.parquet", "a.parquet")]
    out = tmp_path / "run"
    with Session.open(Location.of(out), LocalRunner()) as session:
        session.run(Count(), [Unit("unit")])
    for number, folder in enumerate(("..", "stages/../..", "replies", "/", "")):
        facts = [["mine.parquet", 1, 1, "0"], ["../mine.parquet", 1, 1, "0"], ["a.parquet", 1, 1, "0"]]
        put(out, f"stages/old/{number}.json", json.dumps({"key": "0" * 64, "folder": folder, "outputs": facts, "counts": {}}))
    with Session.open(Location.of(out), LocalRunner()) as session:
        session.run(Count(), [Unit("unit")])
        session.retire_others()
    assert all(path.exists() for path in mine)


@pytest.mark.parametrize("torn", ["", "\n", "\ntextbook-cur", "textbook-curation writes to sta"])
def test_a_torn_journal_is_gone_on_with(tmp_path: Path, torn: str) -> None:
    """A full disk or a power cut may leave less than a line."""
    out = Location.of(tmp_path)
    (tmp_path / "stages/1-count").mkdir(parents=True)
    put(tmp_path, "stages/1-count/unit.names", torn)
    journal = Journal(out / "stages/1-count", "unit", "stages/1-count")
    assert is_torn(journal.place) == (not torn.startswith("textbook-curation"))
    journal.announce("unit.parquet")
    journal.announce("unit-more.parquet")
    folder, names = read_journal(journal.place) or ("", [])
    assert folder == "stages/1-count"
    assert names[-2:] == ["unit.parquet", "unit-more.parquet"]
    assert read_journal(Location.of(put(tmp_path, "theirs.names", "mine"))) is None


def test_the_records_of_a_run_under_way_are_read_once_until_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report asks a dozen times what is ours, and on an object store each record is a request."""
    read: list[str] = []
    real = leftovers.named_in
    monkeypatch.setattr(leftovers, "named_in", lambda out, folder, listing: read.append(folder) or real(out, folder, listing))
    out = Location.of(tmp_path)
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("one")])
    first = leftovers.named_by_run(out)
    assert leftovers.named_by_run(out) is first
    assert read == ["stages/1-count"]
    assert {"stages/1-count/one.parquet", "stages/1-count/one.json", "stages/1-count/_seal.json"} <= first
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("one"), Unit("two")])
    assert "stages/1-count/two.parquet" in leftovers.named_by_run(out)
    put(tmp_path, "stages/1-count/three.parquet")
    assert "stages/1-count/three.parquet" not in leftovers.named_by_run(out)
