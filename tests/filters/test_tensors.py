"""Arrays in a file: read as they were written, and never from a damaged file without an error or with wild costs."""

import json
import random
import struct

import numpy as np
import pytest

from filters.support.tensors import from_tensors, to_tensors

ARRAYS = {
    "wide": np.arange(12, dtype=np.uint64).reshape(4, 3),
    "real": np.linspace(0, 1, 5, dtype=np.float32),
    "small": np.arange(3, dtype=np.int8),
    "none": np.zeros((0, 2), np.int64),
}

ASKEW = {"dtype": "F64", "shape": [1], "data_offsets": [1, 9]}


def read(content: bytes) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return from_tensors(np.frombuffer(content, np.uint8))[0]


def with_head(head: object, data: bytes = b"") -> bytes:
    told = head if isinstance(head, bytes) else json.dumps(head).encode()
    told += b" " * (-len(told) % 8)
    return struct.pack("<Q", len(told)) + told + data


def test_what_was_written_is_read() -> None:
    content = to_tensors(ARRAYS, {"format": "test"})
    arrays, words = from_tensors(np.frombuffer(content, np.uint8))
    assert words == {"format": "test"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)
        assert not arrays[name].flags.writeable
    assert to_tensors(dict(reversed(ARRAYS.items())), words) == content


def test_the_format_is_safetensors_own() -> None:
    """A file written by hand after the format's description."""
    head = {"a": {"dtype": "I32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"k": "v"}}
    assert read(with_head(head, struct.pack("<ii", 7, -7)))["a"].tolist() == [7, -7]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no head"),
        (b"\xff" * 8, "no head"),
        (struct.pack("<Q", 1 << 40) + b"{}", "no head"),
        (with_head(b"{"), "not JSON"),
        (with_head(b"[" * 100_000), "not JSON"),
        (with_head([]), "not a JSON object"),
        (with_head({"__metadata__": {"k": 1}}), "words are not text"),
        (with_head({"a": 5}), "does not say what 'a' is"),
        (with_head({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)), "does not say"),
        (with_head({"a": {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)), "which its bytes are not"),
        (with_head({"a": {"dtype": "F64", "shape": [1 << 61, 8], "data_offsets": [0, 0]}}), "which its bytes are not"),
        (with_head({"a": {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]}}, bytes(8)), "which its bytes are not"),
        (with_head({"a": {"dtype": "F64", "shape": [True], "data_offsets": [0, 8]}}, bytes(8)), "which its bytes are not"),
        (with_head({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}), "which its bytes are not"),
        (with_head({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, bytes(9)), "not all of its bytes"),
        (with_head({"a": {"dtype": "I8", "shape": [1], "data_offsets": [0, 1]}, "b": ASKEW}, bytes(9)), "multiple"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(content)


def test_no_damage_does_worse_than_a_value_error() -> None:
    content, chooser, refused = to_tensors(ARRAYS, {"format": "test"}), random.Random(3), 0
    for _ in range(500):
        damaged = bytearray(content)
        for _ in range(chooser.choice((1, 4))):
            damaged[chooser.randrange(len(damaged))] = chooser.randrange(256)
        if chooser.random() < 0.3:
            del damaged[chooser.randrange(len(damaged)) :]
        try:
            read(bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > 200
