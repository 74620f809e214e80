"""Tokens are counted as the tokenizer's file says, but never cut short or filled up, and the same in any batch."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from curation.errors import InputError, RecipeError
from curation.text import tokens
from curation.text.tokens import load_tokenizer, token_counts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tokenizer of words that puts one token before a text and one behind it, cuts at three tokens and fills up to eight."""
    words = ["[UNK]", "[BOS]", "[EOS]", "the", "tide", "rises"]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("[BOS] $A [EOS]", None, [("[BOS]", 1), ("[EOS]", 2)])
    made.enable_truncation(3)
    made.enable_padding(length=8)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_a_text_counts_as_many_tokens_as_it_has(file: Path) -> None:
    texts = ["the tide rises the tide rises", "", "tide", "unknown words here"]
    assert token_counts(texts, str(file)).tolist() == [8, 2, 3, 5]
    assert token_counts(texts, str(file), special_tokens=False).tolist() == [6, 0, 1, 3]
    assert [int(token_counts([text], str(file))[0]) for text in texts] == [8, 2, 3, 5]
    assert token_counts([], str(file)).tolist() == []


def test_a_file_is_read_once_and_again_where_it_changed(file: Path) -> None:
    first = load_tokenizer(str(file))
    assert load_tokenizer(str(file)) is first
    file.write_text(file.read_text().replace('"rises": 5', '"rises": 5, "falls": 6'))
    assert load_tokenizer(str(file)) is not first


def test_what_is_no_tokenizer_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = file.with_name("broken.json")
    broken.write_text("{}")
    with pytest.raises(RecipeError, match=r"broken\.json cannot be read"):
        load_tokenizer(str(broken))
    with pytest.raises(InputError):
        load_tokenizer(str(file.with_name("none.json")))
    monkeypatch.setattr(tokens, "_MOST_BYTES", file.stat().st_size - 1)
    file.write_text(file.read_text().replace('"rises": 5', '"raises":5'))
    with pytest.raises(InputError, match="a tokenizer may have at most"):
        load_tokenizer(str(file))
