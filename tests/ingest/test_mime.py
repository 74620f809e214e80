"""What a page is, by what server, crawler and bytes say of it."""

from pathlib import Path

import polars as pl
import pytest

from curation.ingest.encoding import decode_text
from curation.ingest.readers.mime import content_type, identified
from tests.ingest.test_readers_archives import page, warc
from tests.ingest.test_readers_rows import reasons
from tests.reading import read_bytes
from tests.running import curate


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["text/html"], "text/html"),
        ([" Text/HTML ;charset=UTF-8"], "text/html; charset=UTF-8"),
        (["text/html, text/html"], "text/html"),
        (["text/html;charset=gbk, text/html"], "text/html; charset=gbk"),
        (["text/html;charset=gbk,text/html;x=y"], "text/html; charset=gbk"),
        (["text/html;charset=gbk;a=b,text/plain"], "text/plain"),
        (["text/plain", "text/html; charset=utf-8"], "text/html; charset=utf-8"),
        (["text/html, */*"], "text/html"),
        (["text/html, cannot-parse"], "text/html"),
        (["cannot-parse", ""], None),
        (["text/html, "], "text/html"),
        (['text/html;"charset=gbk, text/plain"'], "text/html"),
        ([], None),
        (["text/html; charset"], "text/html"),
        (["text/html; CharSet=GBK"], "text/html; charset=GBK"),
    ],
)
def test_the_last_valid_value_counts(headers, expected):
    """Cases of the web platform tests (fetch/content-type), and what servers send."""
    assert content_type(headers) == expected


def test_headers_take_linear_time():
    for size in (100_000, 200_000):
        for character in ('"', ",", "\\", 'a"\\', ";charset=", "text/"):
            assert content_type([character * (size // len(character))]) is None or size


def test_the_crawler_says_what_the_server_did_not():
    assert identified("text/html; charset=gbk", "application/pdf") == "text/html; charset=gbk"
    assert identified(None, "text/html") == "text/html"
    assert identified("application/octet-stream", "application/xhtml+xml") == "application/xhtml+xml"
    assert identified("application/octet-stream", None) == "application/octet-stream"
    assert identified(None, None) is None


def response(kind: bytes, body: bytes, number: int, head: bytes = b"") -> bytes:
    http = b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n" + body
    return warc(http, number=number).replace(b"WARC-Type:", head + b"WARC-Type:", 1)


HTML = b"<html><body><p>The tide comes in, and goes out.</p></body></html>"


def test_a_run_takes_pages_and_plain_text(tmp_path: Path) -> None:
    records = [
        response(b"Content-Type: text/html, text/html\r\n", HTML, 0),
        response(b"Content-Type: text/html\r\nContent-Type: text/html; charset=utf-8\r\n", HTML, 1),
        response(b"", HTML, 2, b"WARC-Identified-Payload-Type: text/html\r\n"),
        response(b"Content-Type: application/octet-stream\r\n", HTML, 3, b"WARC-Identified-Payload-Type: text/html\r\n"),
        response(b"Content-Type: application/octet-stream\r\n", HTML, 4),
        response(b"", b"%PDF-1.4", 5, b"WARC-Identified-Payload-Type: application/pdf\r\n"),
        response(b"Content-Type: application/xhtml+xml\r\n", HTML, 6),
        response(b"Content-Type: text/plain\r\n", "Ebb & flow <here>,\nMärz".encode(), 7),
        response(b"Content-Type: text/plain\r\n", HTML, 8),
        response(b"Content-Type: text/plain\r\n", bytes(range(256)) * 9, 9),
    ]
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    (tmp_path / "recipe.toml").write_text("[extractor]\nname = 'resiliparse'\n")
    curate("run", tmp_path / "recipe.toml", tmp_path / "a.warc", "--out", tmp_path / "out")
    ledger = pl.read_parquet(tmp_path / "out/ledger/*.parquet").sort("offset")
    assert ledger["rule"].to_list() == [None, None, None, None, "not_html", "not_html", None, None, None, "not_html"]
    texts = pl.read_parquet(tmp_path / "out/dataset/data/*.parquet")["text"]
    assert texts.str.contains("Ebb & flow <here>,\nMärz", literal=True).sum() == 1
    assert texts.str.contains("The tide comes in, and goes out.", literal=True).sum() == 6
    assert not texts.str.contains("<p>", literal=True).any()


def test_lower_case_records_and_long_headers():
    records = [page(number).replace(b"WARC/1.0", b"warc/1.0") for number in range(3)]
    assert reasons(read_bytes("a", b"".join(records))) == ["Record"] * 3
    policy = b"Content-Security-Policy: " + b"a" * 40_000 + b"\r\n"
    [record] = read_bytes("a.warc", page(1, headers=policy))
    assert record.content_type == "text/html; charset=utf-8"
    [record] = read_bytes("a.warc", page(1).replace(b"WARC-Type:", b"X-Long: " + b"a" * 20_000 + b"\r\nWARC-Type:", 1))
    assert record.status == 200


def test_a_record_without_a_block_does_not_hide_the_next():
    empty = page(1).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert reasons(read_bytes("a.warc", empty + page(2) + page(3))) == ["wrong_content_length", "Record", "Record"]


UKRAINIAN = "Річка несе мул із пагорбів до моря. Її ґрунт, їжак, єдність. "
BELARUSIAN = "Ракі нясуць глей да мора, і кожная паводка кладзе новы пласт на палі. У яго ёсць ўлады. "
RUSSIAN = "Река несёт ил с холмов к морю, и каждый паводок кладёт новый слой на поля. "


def koi8_u(text: str) -> bytes:
    return text.translate(str.maketrans("ўЎ", "╝╬")).encode("koi8-u")


@pytest.mark.parametrize("header", [None, "text/html; charset=koi8-r", "text/html; charset=koi8-u"])
@pytest.mark.parametrize("text", [UKRAINIAN, BELARUSIAN])
def test_koi8_u_is_told_from_koi8_r(text, header):
    html = f"<html><body><p>{text * 5}</p></body></html>"
    assert decode_text(koi8_u(html), header).text == html


def test_boxes_stay_boxes():
    frame = "╔════════╗\n║ Река   ║\n╚════════╝\n╓─╖ ╙─╜ ╢ ╣\n"
    html = f"<html><body><pre>{frame}</pre><p>{RUSSIAN * 5}</p></body></html>"
    assert decode_text(html.encode("koi8-r")).text == html


STRAY = ("<meta charset=utf-8>einfach schön" + "\n<p>An ASCII line of words here.\n" * 120).encode() + b"Kouga\xef</a>"


@pytest.mark.parametrize("header", [None, "text/html", "text/html; charset=utf-8"])
def test_one_stray_byte_is_one_replacement(header):
    decoded = decode_text(STRAY, header)
    assert (decoded.encoding, decoded.damaged) == ("utf-8", 1)
    assert decoded.text.endswith("Kouga\ufffd</a>")
    assert "schön" in decoded.text


def test_a_stray_byte_does_not_make_utf8_what_a_header_claims():
    for claim, whole in (("iso-8859-1", 3), ("windows-1251", 3), ("gbk", 12)):
        html = ("<p>Größe und Länge, Bäume über Flüsse.</p>" * whole).encode() + b"\xef <p>end"
        decoded = decode_text(html, f"text/html; charset={claim}")
        assert (decoded.encoding, decoded.damaged, decoded.text.count("\ufffd")) == ("utf-8", 1, 1)
    assert decode_text("<p>Größe und Länge, Bäume über Flüsse.</p>".encode("cp1252"), "text/html; charset=utf-8").encoding == "cp1252"


def test_ascii_with_a_byte_that_is_nothing_is_kept():
    decoded = decode_text(b"<p>An ASCII line of words here.\n" * 120 + b"\x81")
    assert decoded.damaged <= 1
    assert len(decoded.text) > 3000
