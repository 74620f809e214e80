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
        ("<meta name=author content=Account>" + ld({"@type": "Article", "author": "Ann"}), "author", "Ann"),
        ("<meta name=date content=2024-01-01>" + ld({"@type": "Article", "datePublished": "2023"}), "date", "2023"),
        ("<meta property=og:title content=Meta>" + ld({"headline": "Data"}), "title", "Meta"),
        (ld({"@type": "Thing", "headline": "Data"}), "title", "Data"),
        (ld({"@type": "Thing", "author": "Ann"}), "author", None),
        (ld({"@type": ["Thing", "NewsArticle"], "author": {"url": "u/ann"}}), "author", "u/ann"),
        (ld({"@type": "Recipe", "author": {"url": "https://x.example/ann"}}), "author", None),
        (ld([{"@type": "Book", "author": "First"}, {"@type": "Book", "author": "Second"}]), "author", "First"),
        (ld({"@type": "Article", "license": "L", "inLanguage": "de"}), "license", "L"),
        (ld({"@type": "Article", "license": "L", "inLanguage": "de"}), "language", "de"),
        ("<meta property=og:site_name content=Meta>" + ld({"@type": "Article", "publisher": "House"}), "site", "Meta"),
        ("<meta name=twitter:title content=Second><meta name=og:title content=First>", "title", "First"),
        ("<meta name=author content=First><meta name=author content=Second>", "author", "First"),
        ("<meta itemprop=author content=Ann>", "author", "Ann"),
        ("<meta http-equiv=Content-Language content=de>", "language", "de"),
        ("<meta name=author content=''><meta name=author content=Ann>", "author", "Ann"),
        ("<meta name=dc.rights content=Words><link rel=license href=L>", "license", "L"),
        ("<link rel=canonical href=one><link rel=canonical href=two>", "canonical", "one"),
        ("<link rel=' Canonical ' href='https://x.example/?a=1&amp;b=2'>", "canonical", "https://x.example/?a=1&b=2"),
        ("<link rel=stylesheet href=canonical>", "canonical", None),
        ("<meta name=date content='20240203'>", "date", "20240203"),
    ],
)  # fmt: skip
def test_a_fact_is_read(head, fact, value):
    assert facts(head).get(fact) == value


def test_the_root_s_language_comes_first():
    assert facts("<meta property=og:locale content=de_DE>")["language"] == "de_DE"
    assert facts("<meta property=og:locale content=de_DE>", "lang=fr")["language"] == "fr"


def test_the_body_counts_for_licences_only():
    page = "<title>T</title><body><a href=https://creativecommons.org/licenses/by/4.0/>Free</a><meta name=author content=Ann>"
    found = declared(page, head_of(page), parse(page, PageLimits())).facts
    assert found == {"title": "T", "license": "https://creativecommons.org/licenses/by/4.0"}
    assert head_of(page) == "<title>T</title>"
    assert head_of("<title>T") == "<title>T"
    page = "<head><link rel=license href=L></head>" + page
    assert declared(page, head_of(page), parse(page, PageLimits())).facts["license"] == "L"


def test_what_the_page_says_in_its_own_words_is_kept_a_text_a_line():
    inner = {"headline": "Inner", "caption": "four"}
    html = (
        "<head><title>Title</title><meta property=og:title content='Meta &amp; name'><meta name=twitter:title content=Short>"
        "<meta name=dc.title content=Unasked><meta name=description content='D &lt;b&gt;1&lt;/b&gt;'>"
        "<meta property=og:description content=D2>"
        + ld({"name": "Thing", "headline": 7, "articleBody": "Body <i>one</i>", "text": ["two", 3], "mainEntity": inner})
    )
    texts = declared(html, head_of(html), parse(html, PageLimits())).texts
    assert texts.names.split("\n") == ["Title", "Thing", "Inner", "Meta & name", "Short"]
    assert texts.descriptions.split("\n") == ["D  1 ", "D2"]
    assert texts.bodies.split("\n") == ["Body  one ", "two", "four"]


@pytest.mark.parametrize(("kind", "place"), [("article", 0), ("Website", 1), ("product", 2), ("profile", 3), ("", None), (None, None)])
def test_a_kind_of_page_has_its_place(kind, place):
    html = "<head>" if kind is None else f"<head><meta property=og:type content='{kind}'>"
    counts = declared(html, head_of(html), parse(html, PageLimits())).counts.tolist()
    assert counts == [float(number == place) for number in range(8)]


def test_types_are_counted_up_to_twenty():
    kinds = ["NewsArticle", "BlogPosting", "Product", "QAPage", "Answer", "ItemList", "Thing"]
    html = "<head>" + ld([{"@type": kind} for kind in kinds])
    assert declared(html, head_of(html), parse(html, PageLimits())).counts.tolist() == [0, 0, 0, 0, 2, 1, 2, 1]
    article = ld({"@type": "Article"})
    html = "<head>" + ld([{"@type": "Product"}] * 21) + article + "<script type=application/ld+json></script>" + article
    assert declared(html, head_of(html), parse(html, PageLimits())).counts.tolist() == [0, 0, 0, 0, 2, 20, 0, 0]


def test_json_is_read_up_to_a_limit_in_bytes_and_in_objects():
    for size, author in ((LARGEST_JSON, "Ann"), (LARGEST_JSON + 1, None)):
        text = json.dumps({"@type": "Article", "author": "Ann"}).ljust(size)
        assert facts(f"<script type='application/ld+json'>{text}</script>").get("author") == author
    deep: object = {"@type": "Article", "author": "Ann"}
    for _ in range(3):
        deep = [deep, 1, "x"]
    assert facts(ld(deep))["author"] == "Ann"
    for others, author in ((1900, "Ann"), (2100, None)):
        assert facts(ld([*({"a": number} for number in range(others)), {"@type": "Article", "author": "Ann"}])).get("author") == author


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
