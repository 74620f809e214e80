"""What a page declares of itself, by meta tags, JSON-LD and links."""

import json
import time

import pytest

from curation.ingest.extraction.declared import LARGEST_JSON, LONGEST, declared, head_of, license_in
from curation.ingest.extraction.dom import PageLimits, parse


def facts(head: str, attributes: str = "") -> dict[str, str]:
    html = f"<html {attributes}><head>{head}</head><body><p>text"
    return dict(declared(html, head_of(html), parse(html, PageLimits())).facts)


def ld(value: object) -> str:
    return f"<script type='application/ld+json'>{json.dumps(value)}</script>"


def test_nothing_is_declared():
    assert facts("") == {}


@pytest.mark.parametrize(
    ("head", "fact", "value"),
    [
        ("<title> A \n b </title>", "title", "A b"),
        ("<title>A - Site</title><meta property='og:title' content='A &amp; b'>", "title", "A & b"),
        ("<META NAME=Author CONTENT=Ann>", "author", "Ann"),
        ('<meta content="Ann \'Bee\' > Co" name="author">', "author", "Ann 'Bee' > Co"),
        ("<meta property=article:author content=https://x.example/ann>", "author", None),
        ("<meta property='article:published_time' content='2024-02-03T10:00:00Z'>", "date", "2024-02-03"),
        ("<meta name=date content='3 May 2024'>", "date", "3 May 2024"),
        ("<meta property=og:site_name content='The Site'>", "site", "The Site"),
        ("<link rel=canonical href=https://x.example/a><meta property=og:url content=https://x.example/b>", "canonical", "https://x.example/a"),
        ("<link rel=license href=https://x.example/l>", "license", "https://x.example/l"),
        ("<meta name=dc.rights content=CC-BY>", "license", "CC-BY"),
        (ld({"@type": "NewsArticle", "author": [{"name": "Ann"}, {"name": "Bob"}], "datePublished": "2023-01-02"}), "author", "Ann, Bob"),
        (ld({"@graph": [{"@type": "WebSite"}, {"@type": "BlogPosting", "datePublished": "2023-01-02T00:00"}]}), "date", "2023-01-02"),
        (ld({"@type": "Article", "publisher": {"name": "House"}}), "site", "House"),
        (f"<meta name=author content={'x' * 9000}>", "author", "x" * LONGEST),
    ],
)  # fmt: skip
def test_a_fact_is_read(head, fact, value):
    assert facts(head).get(fact) == value


def test_the_root_s_language_comes_first():
    assert facts("<meta property=og:locale content=de_DE>")["language"] == "de_DE"
    assert facts("<meta property=og:locale content=de_DE>", "lang=fr")["language"] == "fr"


def test_what_the_models_see_is_counted():
    html = "<head><meta property=og:type content=article>" + ld([{"@type": "Article"}, {"@type": "Product"}, {"@type": ["Comment"]}] * 9)
    assert declared(html, head_of(html), parse(html, PageLimits())).counts.tolist() == [1, 0, 0, 0, 9, 9, 9, 0]


@pytest.mark.parametrize(
    "broken", ["{", "[" * 90_000, '{"@type": "Article", "author": {"author": 1}}', "x" * (LARGEST_JSON + 1), "null", '"\\ud800"']
)
def test_broken_json_is_no_error(broken):
    begun = time.process_time()
    assert facts(f"<title>T</title><script type='application/ld+json'>{broken}</script>")["title"] == "T"
    assert time.process_time() - begun < 20


def test_a_licence_is_found_in_a_page():
    assert license_in("<a href='https://creativecommons.org/licenses/by-sa/4.0/'>") == "https://creativecommons.org/licenses/by-sa/4.0"
    assert license_in("<a href=https://example.org>") is None
