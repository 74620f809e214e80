"""Files that a recipe names and that are read whole have a limit: the wrong file is told, and does not take the machine's memory."""

import gzip
import os
from pathlib import Path

import pytest

from curation.errors import CurationError
from curation.text.text import Text
from filters.support import url_lists
from pipelines.recipes.recipe import load
from tests.filters.test_filter_contract import documents_of


def sparse(place: Path, size: int) -> Path:
    """Make a file of zeros that takes no room."""
    with place.open("wb") as file:
        os.truncate(file.fileno(), size)
    return place


@pytest.mark.parametrize(
    ("recipe", "size", "told"),
    [
        ('[[filter]]\nname = "bad_words"\nlists = ["big"]\n', 1 << 30, "a list of bad words may have at most 16,777,216"),
        ('[[filter]]\nname = "token_density"\ntokenizer = "big"\n', 1 << 30, "a tokenizer may have at most 536,870,912"),
        ('[[filter]]\nname = "fineweb2"\ntable = "big"\n', 1 << 30, "a table of languages may have at most 16,777,216"),
        ('[[filter]]\nname = "url_rules"\ndomains = ["big"]\n', 64 << 20, "has a line of more than 16,777,216 bytes"),
    ],
)
def test_a_file_that_is_too_large_is_told(tmp_path: Path, recipe: str, size: int, told: str) -> None:
    sparse(tmp_path / "big", size)
    (tmp_path / "mine.toml").write_text(recipe)
    with pytest.raises(CurationError, match="is it the right file") as refused:
        made = load(str(tmp_path / "mine.toml")).filters[0].build()
        made.signals(Text.from_strings(["one text"]), documents_of(["one text"]))
    assert told in str(refused.value)


def test_a_recipe_that_is_too_large_is_told(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match="but a recipe has at most"):
        load(str(sparse(tmp_path / "big.toml", 1 << 30)))


def test_a_list_that_unpacks_without_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_lists, "_MOST_BYTES", 1 << 20)
    monkeypatch.setattr(url_lists, "_BLOCK_BYTES", 1 << 16)
    place = tmp_path / "list.gz"
    place.write_bytes(gzip.compress(b"bad.example\n" * (1 << 17)))
    with pytest.raises(CurationError, match="holds more than 1,048,576 bytes"):
        url_lists.domain_hashes([str(place)])
