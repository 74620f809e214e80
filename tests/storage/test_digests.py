"""What is hashed: the one form of every kind of value, and the values that have none."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from curation.storage.digests import canonical, digest_of, digest_of_file
from curation.storage.records import decode_record, encode_record


@dataclass(frozen=True)
class Pair:
    """A value of two fields, the second of which may be one like it."""

    one: Any
    other: Any = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (0.5, "0.5"),
        ("é", '"é"'),
        (b"\x00\xff", '"00ff"'),
        ((1, [2]), "[1,[2]]"),
        ({"b": 1, "a": (2,)}, '{"a":[2],"b":1}'),
        (Pair(1, Pair(b"a")), '{"one":1,"other":{"one":"61","other":null}}'),
    ],
)
def test_every_kind_of_value_has_one_form(value: Any, text: str) -> None:
    assert canonical(value) == text
    assert digest_of(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, print, Pair, object(), [Pair({3})]])
def test_what_has_no_stable_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no stable form"):
        canonical(value)


def test_keys_must_be_text() -> None:
    with pytest.raises(TypeError, match="text keys"):
        canonical({"a": 1, 2: 3})


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert digest_of_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_a_record_keeps_letters_as_they_are_and_refuses_to_be_empty() -> None:
    encoded = encode_record({"title": "Größe \udc80", "a": 1})
    assert "Größe \\udc80".encode() in encoded
    assert list(decode_record(encoded)) == ["a", "title"]
    for refused in ({}, {"sha256": "x"}):
        with pytest.raises(ValueError, match="reserved"):
            encode_record(refused)
