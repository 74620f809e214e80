"""The recipe `refinedweb` and the filters of its own: what lines lost decides, and a run's ledger shows why a page went."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from curation.errors import InputError, RecipeError
from curation.ingest.edits.refinedweb_lines import RefinedwebLines
from curation.text.text import Text
from filters.refinedweb_removed import RefinedwebRemoved
from filters.token_density import TokenDensity
from pipelines.recipes.recipe import load, parse_recipe
from pipelines.recipes.shipped import shipped_recipes
from tests.filters.test_filter_contract import LISTS
from tests.meeting import meets, met
from tests.running import curate

# --- words removed ------------------------------------------------------------------------------------------------------------------------


def removed(text: str, metadata: Mapping[str, str] | None) -> tuple[int | None, float | None]:
    pairs = None if metadata is None else list(metadata.items())
    documents = pa.table({"metadata": pa.array([pairs], pa.map_(pa.string(), pa.string()))})
    found = RefinedwebRemoved().signals(Text.from_strings([text]), documents)
    return found["removed_words"].to_pylist()[0], found["removed_ratio"].to_pylist()[0]


def test_what_was_removed_is_compared_with_all_there_was() -> None:
    noted = {"title": "Rain", "edits.refinedweb_lines.words": "1", "edits.refinedweb_lines.short": "1"}
    assert removed("It rains all day, and so does it here.", noted) == (1, 0.1)
    assert removed("It rains.", {"title": "Rain"}) == (0, 0.0)
    assert removed("It rains.", {}) == (0, 0.0)
    assert removed("It rains.", None) == (None, None)
    assert removed("...", {}) == (0, 0.0)
    assert removed("...", noted) == (1, 1.0)


@meets(removed=20, whole=1)
@given(
    st.lists(st.sampled_from(["Menu", "A line of some words.", "3 likes", "ALL CAPITALS HERE", "12", "See it, read more..."]), max_size=12)
)
def test_the_ratio_is_that_of_the_words_before_and_after(lines: list[str]) -> None:
    column = Text.from_strings(["\n".join(lines)])
    edited = RefinedwebLines().apply(column)
    words = edited.counts["words"].tolist()[0]
    before, after = (int((each.words.kinds & 1).sum()) for each in (column, edited.text))
    noted = {"edits.refinedweb_lines.words": str(words)} if words else {}
    assert removed(edited.text.string(0), noted) == (before - after, (before - after) / max(before, 1))
    met["removed" if before > after else "whole"] += 1


def test_the_filter_needs_its_edit() -> None:
    with pytest.raises(RecipeError, match=r"\[\[filter\]\] 1: .*needs the counts of the edit 'refinedweb_lines'"):
        parse_recipe("[[edit]]\nname = 'whitespace'\n[[filter]]\nname = 'refinedweb_removed'", "mine")
    assert parse_recipe("[[edit]]\nname = 'refinedweb_lines'\n[[filter]]\nname = 'refinedweb_removed'", "mine").filters


# --- token density ------------------------------------------------------------------------------------------------------------------------


def density(tokenizer: Path | str, *texts: str) -> list[tuple[int, float | None]]:
    found = TokenDensity(tokenizer=str(tokenizer)).signals(Text.from_strings(texts), None)
    return list(zip(found["tokens"].tolist(), found["density"].to_pylist(), strict=True))


def test_tokens_are_not_cut_filled_or_framed() -> None:
    """The test's tokenizer.json cuts a text at 4 tokens and fills it up to 6."""
    assert density(LISTS / "tokenizer.json", "rain falls, rain falls, rain", "rain", "") == [(7, 7 / 28), (1, 1 / 4), (0, None)]


@meets(bytes=800, longer=60)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_tokenizer_of_bytes_counts_bytes(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    if not path.exists():
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        made = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(alphabet)}, merges=[]))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.save(str(path))
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    sizes = [(len(text.encode()), len(text)) for text in texts]
    assert density(path, *texts) == [(size, size / characters if characters else None) for size, characters in sizes]
    met["bytes"] += sum(size for size, _ in sizes)
    met["longer"] += sum(size > characters for size, characters in sizes)


def test_a_tokenizer_that_is_missing_or_none_is_told_when_the_recipe_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{}")
    for file, error in (("nowhere.json", InputError), ("broken.json", RecipeError)):
        recipe = tmp_path / "mine.toml"
        recipe.write_text(f"[[filter]]\nname = 'token_density'\ntokenizer = '{tmp_path / file}'")
        with pytest.raises(error, match=file):
            load(str(recipe))


# --- the whole recipe ---------------------------------------------------------------------------------------------------------------------

PROSE = [
    "The lighthouse keeper wrote down the height of the tide each morning and kept the numbers in a small green book.",
    "When the moon was full the water came up to the third step, and when it was half it stayed well below the first.",
    "After some years she could tell the day of the month from the wet mark on the stone, and she was seldom wrong.",
    "The book is now in the museum of the town, with the pencil that she used and a drawing of the stairs that lead to it.",
]
BUTTONS = "\n\n".join([*PROSE[:2], *["Menu", "HOME ABOUT CONTACT US", "3 likes", "Login", "2024"] * 3, PROSE[2]])


def page(place: str) -> str:
    return "\n\n".join([*PROSE, f"All of this was told to me on the {place} day of my stay, and I have no reason to doubt any of it."])


PAGES = {
    "http://plain.org/tide": page("first"),
    "http://deep.bad.example.com/tide": page("second"),
    "http://ok.org/roulette/tide": page("third"),
    "http://ok.org/buttons": BUTTONS,
    "http://ok.org/short": "The tide comes in twice a day, and nobody in the town has ever seen it come a third time.",
}


def recipe(folder: Path) -> Path:
    """Write the shipped recipe with the test's lists and tokenizer named in it."""
    text = shipped_recipes()["refinedweb"]
    for kind in ("domains", "urls", "hard", "soft", "strict"):
        name = json.dumps([str(LISTS / f"{kind}.txt")])
        text = text.replace('name = "url_rules"\n', f'name = "url_rules"\n{kind} = {name}\n')
    path = folder / "mine.toml"
    path.write_text(f'{text}tokenizer = "{LISTS / "tokenizer.json"}"\n', "utf-8")
    return path


def archive(path: Path) -> None:
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for url, text in PAGES.items():
            paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in text.split("\n\n"))
            body = f"<html><body><main>{paragraphs}</main></body></html>".encode()
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(body), length=len(body), http_headers=headers)
            )


def ledger(out: Path) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(out / "ledger").to_pylist()
    return {row["url"]: {**row, "evidence": json.loads(row["evidence"] or "{}")} for row in rows}


def test_a_run_tells_why_each_page_went(tmp_path: Path) -> None:
    crawl = tmp_path / "crawl"
    crawl.mkdir()
    archive(crawl / "pages.warc.gz")
    lines = [
        json.dumps({"id": url, "url": url.replace(".org", ".net"), "text": page("fourth")})
        for url in ("http://slots.org/", "http://ok.org/cam?bonus")
    ]
    (crawl / "more.jsonl").write_text("\n".join([*lines, json.dumps({"id": "none", "text": page("fifth")})]), "utf-8")
    out = tmp_path / "out"
    curate("run", recipe(tmp_path), crawl / "*", "--out", out)
    fates = ledger(out)
    rules = {url: row["rule"] for url, row in fates.items() if row["fate"] == "dropped"}
    assert rules == {
        "http://deep.bad.example.com/tide": "url_rules.listed_domain",
        "http://ok.org/roulette/tide": "url_rules.hard_word",
        "http://ok.net/cam?bonus": "url_rules.soft_words",
        "http://slots.net/": "url_rules.strict_word",
        "http://ok.org/buttons": "refinedweb_removed.many_words_removed",
        "http://ok.org/short": "gopher_quality_dclm.too_few_words",
    }
    listed = fates["http://deep.bad.example.com/tide"]
    assert (listed["value"], listed["evidence"]) == (1, {"domain": "example.com", "hit": "domain bad.example.com"})
    soft = fates["http://ok.net/cam?bonus"]
    assert (soft["value"], soft["threshold"], soft["evidence"]) == (2, 2, {"domain": "ok.net", "hit": "soft bonus cam"})
    buttons = fates["http://ok.org/buttons"]
    assert buttons["value"] == 27 / (27 + sum(len(sentence.split()) for sentence in PROSE[:3]))
    assert (buttons["threshold"], buttons["evidence"]) == (0.05, {"removed_words": 27})
    assert fates["http://plain.org/tide"]["fate"] == "kept"
    rows = pq.read_table(out / "dataset" / "data", columns=["text", "token_count"]).to_pylist()
    assert [row["token_count"] for row in rows] == [len(re.findall(r"\w+|[^\w\s]+", row["text"])) for row in rows]
    assert "hard roulette" in curate("why", out, "http://ok.org/roulette/tide")


def test_a_bad_list_stops_the_run_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("good.org\nhttp://bad.org/\n")
    (tmp_path / "mine.toml").write_text(f"[[filter]]\nname = 'url_rules'\ndomains = ['{tmp_path / 'hosts'}']\n")
    (tmp_path / "a.jsonl").write_text('{"text": "It rains."}\n')
    told = curate("run", tmp_path / "mine.toml", tmp_path / "a.jsonl", "--out", tmp_path / "out", code=2)
    assert f"{tmp_path / 'hosts'}, line 2: 'http://bad.org/' is not a domain" in " ".join(told.split())
