"""A patient store: which stores are the same one; how long a request is repeated."""

from pathlib import Path

import pytest
from pyarrow import fs

from curation.storage import patient_store
from curation.storage.patient_store import MOST_SENT, PatientStore, patiently


def test_two_are_equal_where_they_send_to_the_same_store(tmp_path: Path) -> None:
    local, below = fs.LocalFileSystem(), fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    assert PatientStore(local) == PatientStore(fs.LocalFileSystem())
    assert PatientStore(local) != PatientStore(below)
    assert PatientStore(local) != local
    assert hash(PatientStore(local)) == hash(PatientStore(fs.LocalFileSystem()))


@pytest.mark.parametrize("failures", [0, 1, MOST_SENT - 1, MOST_SENT])
def test_a_request_is_sent_so_often_and_not_oftener(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between the requests grow threefold; there is none after the last."""
    paused: list[float] = []
    monkeypatch.setattr(patient_store.time, "sleep", paused.append)
    sent = 0

    def ask() -> str:
        nonlocal sent
        sent += 1
        if sent <= failures:
            raise OSError("AWS Error NETWORK_CONNECTION during GetObject")
        return "the answer"

    if failures == MOST_SENT:
        with pytest.raises(OSError, match="NETWORK_CONNECTION"):
            patiently(ask)
    else:
        assert patiently(ask) == "the answer"
    assert sent == min(failures + 1, MOST_SENT)
    assert paused == pytest.approx([0.1 * 3**place for place in range(sent - 1)])
