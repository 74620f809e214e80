"""An object store that fails: an outage that passes changes no byte, one that lasts is told in one line, and neither deletes anything."""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from curation.engine import tries
from curation.engine.mending import damaged
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Unit
from curation.engine.watcher import Silent
from curation.errors import CorruptShard, ShardsFailed
from curation.storage import patient_store
from curation.storage.location import Location
from curation.storage.outages import is_outage, may_pass
from curation.storage.shards import open_parquet, row_groups
from tests.flaky_store import PASSING, FlakyStore, flaky_store
from tests.object_store import BUCKET, ObjectStore, object_store
from tests.running import SMALL_RECIPE, curate, many_files, shards
from tests.toy_stages import Count


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[ObjectStore, FlakyStore]]:
    """A store and the proxy before it. Arrow's client repeats nothing by itself here: its pauses of seconds would hide our repetitions."""
    once = partial(fs.S3FileSystem, retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1))
    with (
        object_store() as store,
        flaky_store(store.env["AWS_ENDPOINT_URL"]) as flaky,
        mock.patch.object(fs, "S3FileSystem", once),
    ):
        yield store, flaky


@pytest.fixture
def flaky(stores: tuple[ObjectStore, FlakyStore], monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyStore]:
    store, flaky = stores
    for name, value in {**store.env, "AWS_ENDPOINT_URL": flaky.endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(patient_store, "MOST_SENT", 1)
    monkeypatch.setattr(patient_store, "SMALL", 0)
    yield flaky
    flaky.share, flaky.where, flaky.most = 0.0, "", 1 << 40


def shard(name: str) -> Location:
    place = Location.of(f"s3://{BUCKET}/{name}.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"number": list(range(1000))}), sink, write_page_checksum=True)
    place.write_bytes(sink.getvalue().to_pybytes())
    return place


@pytest.mark.parametrize("kind", [*PASSING, "403"])
def test_an_outage_is_not_damage(flaky: FlakyStore, kind: str) -> None:
    place = shard(f"sound-{kind}")
    if kind == "drip":
        flaky.kind, flaky.share = kind, 1.0
        assert next(row_groups(place)).num_rows == 1000
        return
    flaky.kind, flaky.share = kind, 1.0
    with pytest.raises(OSError, match="AWS Error") as raised:
        list(row_groups(place))
    assert is_outage(raised.value)
    assert may_pass(raised.value) == (kind != "403")
    flaky.share = 0.0
    with open_parquet(place) as file:
        flaky.share = 1.0
        with pytest.raises(OSError, match="AWS Error"):
            file.read_row_group(0)


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_a_patient_store_reads_what_is_there(flaky: FlakyStore, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(patient_store, "SMALL", small)
    monkeypatch.setattr(patient_store, "MOST_SENT", 12)
    monkeypatch.setattr(patient_store, "FIRST_WAIT", 0)
    content = random.Random(1).randbytes(300_000)
    place = Location.of(f"s3://{BUCKET}/bytes")
    place.write_bytes(content)
    flaky.kind, flaky.share = "500", 0.5
    plain, drawing = io.BytesIO(content), random.Random(2)
    with place.open_random() as file:
        for _ in range(60):
            offset, whence, size = drawing.randrange(400_000), drawing.choice((0, 0, 1, 2)), drawing.randrange(-1, 50_000)
            offset = -drawing.randrange(300_000) if whence == 2 else offset
            assert file.seek(offset, whence) == plain.seek(offset, whence) == file.tell()
            assert file.read(size) == plain.read(size)
    with place.open_stream() as stream:
        assert stream.read(10) + stream.read() == content
    assert sum(flaky.failed.values()) >= (1 if small else 20)


def test_damaged_bytes_are_damage_on_a_store_too(flaky: FlakyStore) -> None:
    place = shard("damaged")
    content = bytearray(place.read_bytes())
    content[20] ^= 1
    place.write_bytes(bytes(content))
    with pytest.raises(CorruptShard, match=f"{BUCKET}/damaged.parquet, row group 0, is damaged"):
        list(row_groups(place))
    place.write_bytes(bytes(content[:-5]))
    with pytest.raises(CorruptShard, match=f"{BUCKET}/damaged.parquet is damaged"):
        list(row_groups(place))
    assert flaky.requests > 0


@dataclass(frozen=True)
class Told(Silent):
    """Keeps what a session tells."""

    lines: list[str] = field(default_factory=list)

    def tell(self, line: str) -> None:
        self.lines.append(line)


def count_on(out: Location, told: Told) -> tuple[str, ...]:
    with Session.open(out, LocalRunner(), watcher=told) as session:
        return tuple(shard.sha256 for shard in session.run(Count(), [Unit("one"), Unit("two")]).shards)


def test_a_unit_that_a_store_failed_is_made_again(flaky: FlakyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "PAUSE", 0)
    told, out = Told(), Location.of(f"s3://{BUCKET}/passing")
    sound = count_on(Location.of(f"s3://{BUCKET}/sound"), told)
    assert told.lines == []
    flaky.kind, flaky.share, flaky.where, flaky.most = "reset", 1.0, "two.parquet", tries.TRIES - 1
    assert count_on(out, told) == sound
    again = "1 of 2 units failed because a store did not answer: tried again in 0 s"
    assert told.lines == [again, again.replace("of 2", "of 1")]


def test_a_lasting_outage_fails_the_unit_and_deletes_nothing(flaky: FlakyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "PAUSE", 0)
    out = Location.of(f"s3://{BUCKET}/lasting")
    flaky.kind, flaky.share, flaky.where = "reset", 1.0, "two.parquet"
    with pytest.raises(ShardsFailed, match=r"1 unit: OSError: .*NETWORK_CONNECTION"):
        count_on(out, Told())
    assert sum(flaky.failed.values()) >= tries.TRIES
    flaky.share = 0.0
    names = [facts.location.path for facts in out.files(recursive=True)]
    assert [name for name in names if "one.parquet" in name]
    flaky.share, flaky.where = 1.0, "one.parquet"
    with pytest.raises(OSError, match="AWS Error"):
        damaged(out, {"stages/1-count/one.parquet": (1, "0")})


@dataclass(frozen=True)
class World:
    """A recipe with its input in a folder, what a run without any store made of it, and the store with its proxy."""

    folder: Path
    store: ObjectStore
    flaky: FlakyStore

    def run(self, out: str, code: int = 0) -> str:
        """Run the recipe with OUT on the store."""
        into = ("--out", f"s3://{BUCKET}/{out}")
        env = {**self.store.env, "AWS_ENDPOINT_URL": self.flaky.endpoint}
        return curate("run", self.folder / "recipe.toml", self.folder / "input/*.jsonl", *into, env=env, code=code)

    def fetch(self, out: str, into: Path) -> None:
        """Copy what lies on the store."""
        for name in (name for name in self.store.names(f"{out}/") if not name.endswith("/")):
            path = into / name.split("/", 1)[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.client.get_object(Bucket=BUCKET, Key=name)["Body"].read())


@pytest.fixture(scope="module")
def world(stores: tuple[ObjectStore, FlakyStore], tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("outages")
    (folder / "recipe.toml").write_text(SMALL_RECIPE.partition("[deduplicate]")[0] + "[export]\nshard_mib = 1\n")
    many_files(folder / "input", files=1, rows=40, seed=1)
    curate("run", folder / "recipe.toml", folder / "input/*.jsonl", "--out", folder / "out")
    return World(folder, *stores)


@pytest.mark.full
@pytest.mark.parametrize(("kind", "share"), [("500", 0.02), *((kind, 0.1) for kind in PASSING)])
def test_a_run_rides_out_failing_requests(world: World, tmp_path: Path, kind: str, share: float) -> None:
    flaky, out = world.flaky, f"ridden-{kind}-{share}"
    flaky.failed.clear()
    before = flaky.requests
    flaky.kind, flaky.share, flaky.where = kind, share, ""
    world.run(out)
    flaky.share = 0.0
    print(f"{kind}: {flaky.requests - before} requests, failed {dict(flaky.failed)}")
    assert sum(flaky.failed.values()) >= 100 * share
    world.fetch(out, tmp_path)
    assert shards(tmp_path) == shards(world.folder / "out")


def test_a_refusal_is_one_line_at_once(world: World) -> None:
    world.flaky.kind, world.flaky.share, world.flaky.where = "403", 1.0, "2-measure"
    said = world.run("refused", code=1)
    world.flaky.share = 0.0
    assert "ACCESS_DENIED" in said
    assert "damaged" not in said
    assert "Traceback" not in said
