"""The card: what the hub reads of it is data, what people read of it adds up, and a dataset loads by it."""

import dataclasses
import json
import re
import shutil
import warnings
from pathlib import Path

import pytest

from curation.storage.location import Location
from pipelines.export.export import DATASET
from pipelines.inspect.rules import read_rules
from pipelines.report.card import MEANINGS, CardFacts, SplitSize, card, card_facts
from tests.toy_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def facts(run: Path) -> CardFacts:
    return card_facts(Location.of(run), read_rules(Location.of(run)))


def _header(text: str) -> dict[str, object]:
    """Read the header: every line is `name: JSON`."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match is not None
    return {name: json.loads(value) for name, value in (line.split(": ", 1) for line in match.group(1).splitlines())}


def test_the_header_is_what_the_hub_reads(facts: CardFacts) -> None:
    header = _header(card(facts))
    assert header["license"] == "apache-2.0"
    assert header["pretty_name"] == "Toy run"
    assert header["task_categories"] == ["text-generation"]
    assert header["size_categories"] == ["n<1K"]
    assert header["configs"] == [
        {"config_name": "default", "default": True, "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}
    ]
    assert "language" not in header
    sft = {"train": SplitSize("sft/train-*.parquet", 5, 900)}
    wider = dataclasses.replace(facts, languages=("en", "no"), configs={**facts.configs, "sft": sft}, rows=2_000_000)
    header = _header(card(wider))
    assert header["language"] == ["en", "no"]
    assert header["size_categories"] == ["1M<n<10M"]
    assert header["configs"][1] == {"config_name": "sft", "data_files": [{"split": "train", "path": "sft/train-*.parquet"}]}  # type: ignore[index]


def test_the_header_cannot_be_broken_out_of(facts: CardFacts) -> None:
    evil = dataclasses.replace(facts, license='mit"\n---\nevil: yes', name="a\n---\nb")
    header = _header(card(evil))
    assert header["license"] == 'mit"\n---\nevil: yes'
    assert "evil" not in header


def test_a_licence_that_nobody_chose_is_told(facts: CardFacts) -> None:
    text = card(dataclasses.replace(facts, license="other"))
    assert _header(text)["license"] == "other"
    assert '**The dataset\'s licence is "other".' in text
    assert "is distributed under" not in text
    assert 'The dataset\'s licence is "other"' not in card(facts)
    assert "The dataset is distributed under `apache-2.0`" in card(facts)


def test_the_body_says_what_the_ledger_says(facts: CardFacts) -> None:
    text = card(facts)
    assert "| judge | gopher_quality.too_few_words | -7 | 11.1 % |" in text
    assert f"| Rows | {facts.rows:,} |" in text
    assert "an estimate, round(bytes of UTF-8 / 4)" in text
    assert "| crawl | 32 | 23 | 71.9 % |" in text
    assert "polars 2.1.0, pyarrow 26.0.1" in text
    assert 'name = "fineweb_quality"' in text
    assert "counted with the tokenizer `tokenizer.json`" in card(dataclasses.replace(facts, tokenizer="models/tokenizer.json"))


def test_cells_hold_their_text(facts: CardFacts) -> None:
    odd = dataclasses.replace(facts, sources=[dataclasses.replace(facts.sources[0], source="a|b\n<script>")])
    assert "| a\\|b ⏎ &lt;script> |" in card(odd)


def test_a_description_stays_prose(facts: CardFacts) -> None:
    odd = (
        "Maps\x1b[31m of [rivers](https://rivers.example).\n---\nlicense: mit\n# Title\n<script>x</script>\n```\n| a | b |\n![x](http://y)"
    )
    text = card(dataclasses.replace(facts, description=odd, name="a\x1b[0m: b"))
    assert "\x1b" not in text
    assert "Maps\\u001b[31m of [rivers](https://rivers.example).\n\\---\nlicense: mit\n\\# Title\n&lt;script>x" in text
    assert "\n\\```\n\\| a | b |\n\\![x](http://y)\n" in text
    assert text.count("\n---\n") == 1


def test_every_column_is_told(facts: CardFacts) -> None:
    assert list(MEANINGS) == DATASET.names
    text = card(facts)
    assert all(f"| `{name}` |" in text for name in DATASET.names)


def test_it_names_no_time_and_no_place(run: Path, facts: CardFacts) -> None:
    text = card(facts)
    assert str(run) not in text
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d", text)
    assert card(card_facts(Location.of(run), read_rules(Location.of(run)))) == text


def test_the_dataset_loads_by_its_card(run: Path, facts: CardFacts, tmp_path: Path) -> None:
    folder = shutil.copytree(run / "dataset", tmp_path / "dataset")
    (folder / "README.md").write_text(card(facts), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        datasets = pytest.importorskip("datasets")
        rows = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.num_rows == facts.rows
    assert rows.column_names == DATASET.names
    assert set(rows["origin"]) == {"web", "synthetic"}


def test_what_was_masked_is_named_in_words(facts: CardFacts) -> None:
    edits = {"pii.email": 1, "pii.ip": 2000, "pii.card": 3, "pii.iban": 1, "pii.phone": 0, "whitespace.blanks": 9}
    told = "the run masked 1 email address, 2,000 IP addresses, 3 card numbers, 1 IBAN; other personal data may remain"
    assert f"- Personal data: {told}.\n" in card(dataclasses.replace(facts, edits=edits))
    assert "- Personal data: nothing was masked.\n" in card(dataclasses.replace(facts, edits={"whitespace.blanks": 9}))
