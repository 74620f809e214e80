"""Files of the Hub: errors of its client are those of any store, and a file's time is of its content."""

from collections.abc import Callable

import pytest
from pyarrow import fs

from curation.storage.hub import _as_os_error, _HubHandler
from curation.storage.location import Location
from tests.hub import hub, using


class OfTheClient(Exception):
    """What the client raises, which is no OSError."""


def failing(error: Exception) -> Callable[[str], object]:
    def call(path: str) -> object:
        raise error

    return call


def test_an_error_of_the_client_is_that_of_a_store() -> None:
    error = OfTheClient("502 from the Hub")
    with pytest.raises(OSError, match=r"the Hub does not give datasets/org/name: 502 from the Hub") as raised:
        _as_os_error(failing(error), (OfTheClient, ValueError))("datasets/org/name")
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [FileNotFoundError("no such file"), KeyError("a fault of ours")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        _as_os_error(failing(error), (OfTheClient, ValueError))("datasets/org/name")
    assert raised.value is error


def test_the_time_of_a_file_is_made_from_its_content() -> None:
    one, again, other = (
        _HubHandler._create_file_info("a", {"type": "file", "size": 3, "blob_id": mark * 40, "last_commit": commit})
        for mark, commit in (("a", 1), ("a", 2), ("b", 1))
    )
    assert (one.type, one.size, one.mtime_ns) == (fs.FileType.File, 3, int("a" * 13, 16))
    assert again.mtime_ns == one.mtime_ns != other.mtime_ns
    folder = _HubHandler._create_file_info("a", {"type": "directory", "size": None, "blob_id": "a" * 40})
    assert (folder.type, folder.size) == (fs.FileType.Directory, 0)


def test_files_of_a_dataset_are_listed_and_read() -> None:
    with hub() as served, using(served):
        served.repositories["org/name"] = {"data/a.jsonl": b'{"text": "a"}\n', "data/deep/b.jsonl": b"", "README.md": b"#"}
        folder = Location.of("hf://datasets/org/name/data")
        listed = {str(facts.location): facts.size for facts in folder.files(recursive=True)}
        assert listed == {"hf://datasets/org/name/data/a.jsonl": 14, "hf://datasets/org/name/data/deep/b.jsonl": 0}
        assert (folder / "a.jsonl").read_bytes() == b'{"text": "a"}\n'
        with (folder / "a.jsonl").open_random() as file:
            assert (file.seek(2), file.read(4)) == (2, b"text")
        assert (folder / "none.jsonl").facts() is None
