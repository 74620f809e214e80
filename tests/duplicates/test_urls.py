"""URLs in the form in which they are compared, against a plain twin."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.urls import same_page_form, url_hash
from tests.meeting import meets, met


def form_of(url: str | None) -> str | None:
    form: str | None = same_page_form(pa.array([url], pa.string()))[0].as_py()
    return form


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://www.Lake.example/Boats/", "lake.example/Boats"),
        ("HTTP://lake.example", "lake.example"),
        ("https://lake.example/#top", "lake.example"),
        ("https://lake.example/#!/boats/", "lake.example#!/boats/"),
        ("https://lake.example/?ref=1#!a?b#c", "lake.example#!a?b#c"),
        ("https://lake.example/a?utm_source=x&utm_medium=y", "lake.example/a"),
        ("https://lake.example/a/?b=1&ref=home&c=2#d", "lake.example/a?b=1&c=2"),
        ("https://lake.example/a?reference=7&feeder=1", "lake.example/a?reference=7&feeder=1"),
        ("https://lake.example/a?feed&ref=", "lake.example/a"),
        ("https://lake.example?b=?c", "lake.example?b=?c"),
        ("ftp://www.lake.example/", "ftp://www.lake.example"),
        ("https://www.", None),
        ("", None),
        (None, None),
    ],
)
def test_what_names_one_page(url: str | None, form: str | None) -> None:
    assert form_of(url) == form


def plain(url: str) -> str | None:
    url, mark, fragment = url.partition("#")
    fragment = mark + fragment if fragment.startswith("!") else ""
    for scheme in ("http://", "https://"):
        if url.lower().startswith(scheme):
            url = url[len(scheme) :]
            url = url[4:] if url.lower().startswith("www.") else url
            break
    page, _, query = url.partition("?")
    page = page.rstrip("/")
    host, slash, path = page.partition("/")
    names = [(pair, pair.partition("=")[0]) for pair in query.split("&")]
    query = "&".join(pair for pair, name in names if name not in ("ref", "feed") and not name.startswith("utm_"))
    return (host.lower() + slash + path + ("?" + query if query else "") + fragment) or None


PIECES = ["http://", "HTTPS://", "www.", "Lake.example", "/", "//", "A", "?", "&", "=", "ref", "feed", "utm_", "x", "#", "!", "\n", "é"]


@meets(another=16, none=2)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_the_form_is_that_of_the_plain_twin(url: str) -> None:
    assert form_of(url) == plain(url)
    met["none" if plain(url) is None else "same" if plain(url) == url else "another"] += 1
    assert form_of(form_of(url) or "") is None or url_hash(form_of(url) or "") < 2**64


def test_columns_of_any_kind_and_length() -> None:
    assert same_page_form(pa.array([], pa.string())).to_pylist() == []
    assert same_page_form(pa.chunked_array([["http://a.example/"], [None]], pa.string())).to_pylist() == ["a.example", None]
