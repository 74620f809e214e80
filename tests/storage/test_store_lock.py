"""The lock on an object store: one live run on one OUT, a dead one is told with owner and age, and an owner who lost it stops."""

import json
import platform
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Unit
from curation.errors import CannotWrite, Refused
from curation.storage import store_lock as locks
from curation.storage.location import Location
from curation.storage.ownership import is_live, locked
from curation.storage.store_lock import store_lock
from tests.flaky_store import ANSWERS, FlakyStore, flaky_store
from tests.object_store import BUCKET, ObjectStore, object_store
from tests.toy_stages import Count


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[ObjectStore, FlakyStore]]:
    with object_store() as store, flaky_store(store.env["AWS_ENDPOINT_URL"]) as flaky, pytest.MonkeyPatch.context() as patch:
        for name, value in {**store.env, "AWS_ENDPOINT_URL": flaky.endpoint}.items():
            patch.setenv(name, value)
        yield store, flaky


@pytest.fixture
def out(request: pytest.FixtureRequest, stores: object) -> Location:
    return Location.of(f"s3://{BUCKET}/{request.node.name}")


def say(out: Location, **facts: object) -> None:
    """Leave a lock as another machine would."""
    owner = {"owner": "host far, process 7, user ann", "began": "2026-11-28T20:00:00+00:00", "host": "far", "process": 7, "token": "t"}
    (out / ".lock").write_bytes(json.dumps({**owner, **facts}).encode())


def test_a_second_run_is_refused_and_the_first_releases(out: Location) -> None:
    with Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("one")])
        with pytest.raises(Refused, match=r"another run is live on s3.* \(host .*, process \d+, user .*last sign of it \d+ s ago\)"):
            Session.open(out, LocalRunner()).__enter__()
    assert (out / ".lock").facts() is None
    with Session.open(out, LocalRunner()):
        pass


def test_of_many_that_begin_at_once_one_gets_it(out: Location) -> None:
    def ask(_: int) -> str:
        try:
            with store_lock(out, False, print):
                time.sleep(1.0)
                return "got it"
        except Refused:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == ["got it", *["refused"] * 7]


def test_a_dead_owner_is_told_with_its_age_and_taken_over_on_demand(out: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    say(out)
    with pytest.raises(Refused, match="another run is live"):
        store_lock(out, False, print).__enter__()
    monkeypatch.setattr(locks, "STALE", -1.0)
    told = r"probably dead \(host far, process 7, user ann, since 2026-11-28T20:00:00\+00:00; no sign of it for 0 minutes\); .*--take-over"
    with pytest.raises(Refused, match=told):
        store_lock(out, False, print).__enter__()
    with locked(out, "demo", False, take_over=True):
        assert json.loads((out / ".lock").read_bytes())["host"] == platform.node()


def test_a_dead_process_of_this_machine_is_no_owner(out: Location) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    say(out, host=platform.node(), process=gone.pid)
    with store_lock(out, False, print):
        pass


def test_whether_a_session_is_at_work_is_seen_from_outside(out: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_live(out) is None
    say(out)
    assert is_live(out)
    monkeypatch.setattr(locks, "STALE", -1.0)
    assert is_live(out) is False
    monkeypatch.undo()
    gone = subprocess.Popen(["true"])
    gone.wait()
    say(out, host=platform.node(), process=gone.pid)
    assert is_live(out) is False
    with store_lock(out, False, print):
        assert is_live(out)


def test_an_owner_that_lost_its_lock_stops(out: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.1)
    with pytest.raises(Refused, match=r"was taken over by another run \(host far"), Session.open(out, LocalRunner()) as session:
        session.run(Count(), [Unit("one")])
        written = (out / ".lock").facts()
        time.sleep(0.5)
        session.require_lock()  # it is written again and again, and stays ours
        assert written is not None
        say(out)
        time.sleep(1.0)
        session.run(Count(), [Unit("one"), Unit("two")])
    assert json.loads((out / ".lock").read_bytes())["host"] == "far"


def test_what_a_store_without_conditional_puts_says(out: Location, stores: tuple[ObjectStore, FlakyStore]) -> None:
    _, flaky = stores
    told: list[str] = []
    ANSWERS["501"] = (501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    flaky.kind, flaky.share, flaky.where = "501", 1.0, ".lock"
    try:
        with store_lock(out, False, told.append) as require:
            require()
        assert "has no lock against a second run" in told[0]
        flaky.kind = "403"
        with pytest.raises(CannotWrite, match=r"the lock s3://.*/.lock cannot be written: .*403"):
            store_lock(out, False, print).__enter__()
    finally:
        flaky.share, flaky.where = 0.0, ""
        del ANSWERS["501"]


@pytest.mark.parametrize(
    ("told", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-south-2"}, "eu-south-2"),
        ({"AWS_DEFAULT_REGION": "eu-south-2", "AWS_REGION": "ap-east-1"}, "ap-east-1"),
    ],
)
def test_the_region_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch, told: dict[str, str], region: str) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**told, "AWS_ENDPOINT_URL": "http://localhost:9"}.items():
        monkeypatch.setenv(name, value)
    assert locks._store("s3", BUCKET).config["region"] == region
