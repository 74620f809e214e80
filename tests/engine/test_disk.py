"""Disks that are full or read-only: the message names what could not be written and what to do, and claims nothing that is not so."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import CannotWrite, Refused
from curation.storage.location import TEMPORARY, Location, telling_what_is_written
from tests.running import CURATE, many_files, shards


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 KiB of its own; skips where we may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run(source: Path, out: Path) -> tuple[int, str]:
    command = [str(CURATE), "run", "dedup", str(source), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    return done.returncode, done.stderr


def test_a_full_disk_is_named_and_the_rerun_is_whole(tmp_path: Path, small_disk: Path) -> None:
    source = many_files(tmp_path / "input", files=12, rows=60)
    code, told = run(source, small_disk / "out")
    assert code == 1
    assert "no space left on device" in told
    assert f"{small_disk}/out/" in told
    assert "make room" in told
    assert "Traceback" not in told
    assert not [path for path in small_disk.rglob("*") if path.name.startswith(TEMPORARY)]
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    assert run(source, small_disk / "out")[0] == 0
    assert run(source, tmp_path / "whole")[0] == 0
    assert shards(small_disk / "out") == shards(tmp_path / "whole")


def test_a_read_only_place_claims_nothing(tmp_path: Path, small_disk: Path) -> None:
    source = many_files(tmp_path / "input", files=1, rows=3)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code, told = run(source, small_disk / "out")
    assert code == 1
    assert told.strip().splitlines()[-1].startswith(f"curate: {small_disk}/out")
    assert "read-only file system" in told
    assert "choose a place" in told
    assert "kept" not in told


def test_what_is_read_is_not_called_unwritable(tmp_path: Path) -> None:
    """A file that may not be read, met while another is written, is not told as a failure of writing."""
    with pytest.raises(PermissionError, match="theirs"), Location.of(tmp_path / "ours").writing():
        raise PermissionError(13, "Permission denied", "theirs")
    with (
        pytest.raises(CannotWrite, match=r"ours cannot be written: no space left on device; make room"),
        Location.of(tmp_path / "ours").writing(),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(CannotWrite, match="permission denied; choose"), telling_what_is_written(Location.of(tmp_path / "ours")):
        raise PermissionError(13, "Permission denied")
    assert list(tmp_path.iterdir()) == []


def test_only_a_file_is_written_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    before = sorted(tmp_path.iterdir())
    for name in ("pipe", "folder", "link", "nowhere"):
        with pytest.raises(Refused, match=f"{name} is (no file|a folder)"):
            Location.of(tmp_path / name).write_bytes(b"ours")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("place", ["/proc/x/ours", "file/below/ours", f"{'long' * 70}/ours", "long" * 70])
def test_a_place_where_nothing_can_be_written_is_told_with_what_to_do(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CannotWrite, match=r"cannot be written: .*; .*choose (?:a|another) place"):
        Location.of(tmp_path / place).write_bytes(b"ours")
