"""`curate train extractor` from pages to weights that extract, end to end, on pages made here; and once more to the same bytes."""

import json
import random
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from curation.ingest.extraction.page_blocks.choosing import chosen
from curation.ingest.extraction.page_blocks.features import features
from curation.ingest.extraction.page_blocks.reading import read_page
from curation.ingest.extraction.page_blocks.trees import loaded, probabilities
from curation.ingest.extraction.page_blocks.writing import write
from tests.running import curate

WORDS = (
    *("river", "sand", "delta", "tide", "moon", "lever", "stone", "cloud", "field", "wind"),
    *("harvest", "bridge", "market", "winter", "garden", "letter", "engine", "copper", "salt"),
)


def page(number: int) -> tuple[str, str]:
    """Return a page of some site's make and its gold text: an article between menus, teasers and comments."""
    chance = random.Random(number)

    def sentence(least: int) -> str:
        return " ".join(chance.choices(WORDS, k=least + chance.randrange(9))).capitalize() + ", and so on it goes."

    wanted = [" ".join(chance.choices(WORDS, k=4)), *(f"{sentence(14)} {sentence(12)}" for _ in range(6))]
    links = "".join(f"<li><a href=/{k}>{chance.choice(WORDS)} {chance.choice(WORDS)}</a>" for k in range(12))
    teasers = "".join(f"<div class=teaser><a href=/{k}>{sentence(6)}</a></div>" for k in range(5))
    comments = "".join(f"<div class=comment><p>{sentence(5)}</p></div>" for _ in range(4))
    body = f"<h1>{wanted[0]}</h1>" + "".join(f"<p>{text}</p>" for text in wanted[1:])
    html = f"<nav><ul>{links}</ul></nav><main class=entry-content>{body}</main><aside>{teasers}</aside>{comments}<footer>{links}</footer>"
    return html, "\n".join(wanted)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    made = [page(number) for number in range(120)]
    table = pl.DataFrame(
        {
            "html": [html for html, _ in made],
            "gold_text": [gold for _, gold in made],
            "url": [f"https://site{number % 30}.org/{number}" for number in range(len(made))],
            "page_type": ["article" if number % 2 else "post" for number in range(len(made))],
        }
    )
    table.write_parquet(tmp_path / "pages.parquet")
    return tmp_path / "pages.parquet"


@pytest.mark.skipif(find_spec("lightgbm") is None, reason="training needs LightGBM")
def test_weights_come_from_pages_and_come_again(pages: Path, tmp_path: Path) -> None:
    places = [tmp_path / name / "weights.npz" for name in ("first", "second")]
    for place in places:
        place.parent.mkdir()
    told = [json.loads(curate("train", "extractor", pages, "--out", places[0], "--json"))]
    shown = curate("train", "extractor", pages, "--out", places[1])
    assert places[0].read_bytes() == places[1].read_bytes()
    assert told[0]["sha256"] in shown
    assert f"article 60 {told[0]['held_out'][1]['f1']:.3f}" in " ".join(shown.split())
    assert (told[0]["pages"], told[0]["sites"], told[0]["left_out"]) == (120, 30, 0)
    figures = {row["kind"]: row for row in told[0]["held_out"]}
    assert figures["article"]["pages"] == figures["post"]["pages"] == 60
    assert figures["article"]["f1"] > 0.95
    card = (places[0].parent / "MODEL_CARD.md").read_text("utf-8")
    assert card.startswith("# Weights of the block extractor")
    assert told[0]["sha256"] in card
    assert "pages.parquet: 120 pages of 30 sites" in card
    html, gold = page(1000)
    reading = read_page(html)
    assert reading is not None
    first = loaded(places[0])["first"]
    probability = probabilities(first, features(reading.cut, reading.declared.counts, reading.echoes))
    assert write(reading.cut, chosen(reading.cut, probability).kept).split() == gold.split()


@pytest.mark.skipif(find_spec("lightgbm") is None, reason="training needs LightGBM")
def test_what_cannot_be_trained_on_is_said(pages: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.parquet"
    pl.read_parquet(pages).head(10).write_parquet(few)
    assert "10 pages of 10 sites are too few" in " ".join(curate("train", "extractor", few, "--out", tmp_path / "w.npz", code=2).split())
    nameless = tmp_path / "nameless.parquet"
    pl.read_parquet(pages).drop("url").write_parquet(nameless)
    assert "no column url or host" in " ".join(curate("train", "extractor", nameless, "--out", tmp_path / "w.npz", code=2).split())
    assert "ends in .npz" in " ".join(curate("train", "extractor", pages, "--out", tmp_path / "weights", code=2).split())
    (tmp_path / "MODEL_CARD.md").write_text("# Mine")
    assert "is not one" in " ".join(curate("train", "extractor", pages, "--out", tmp_path / "w.npz", code=3).split())
    assert (tmp_path / "MODEL_CARD.md").read_text() == "# Mine"
    (tmp_path / "MODEL_CARD.md").unlink()
    (tmp_path / "mine.npz").write_text("mine")
    assert "made here" in " ".join(curate("train", "extractor", pages, "--out", tmp_path / "mine.npz", code=3).split())
    assert (tmp_path / "mine.npz").read_text() == "mine"
