"""WARC, WET and ARC files: what is read, what is recovered, and what becomes a row with a reason."""

import gc
import gzip
import io
import warnings
import zlib
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from curation.ingest.readers import MAX_RECORD_BYTES, Broken, Ignored, Record
from tests.reading import compressed, read_bytes, read_path

PAGE = b"<html><body>A page about tides.</body></html>"
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n%s\r\n"


def warc(block: bytes, kind: str = "response", number: int = 1, length: int | None = None, extra: str = "", mime: str = "") -> bytes:
    """One record, made by hand so that it can lie."""
    mime = mime or ("application/http; msgtype=response" if kind == "response" else "text/plain")
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{number:04d}>\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n"
        f"WARC-Target-URI: https://tides.example/{number}\r\nContent-Type: {mime}\r\n{extra}"
        f"Content-Length: {len(block) if length is None else length}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def page(number: int = 1, body: bytes = PAGE, headers: bytes = b"", **record) -> bytes:
    return warc(HTTP % headers + body, number=number, **record)


def reasons(outcomes) -> list[str]:
    return [outcome.reason if isinstance(outcome, Broken) else type(outcome).__name__ for outcome in outcomes]


@pytest.mark.parametrize("packing", ["", "gzip", "lz4", "zstd"])
def test_a_response_is_a_record_with_its_offset_in_plain_bytes(packing):
    records = [warc(b"software: none", "warcinfo"), page(1), page(2), warc(b"GET / HTTP/1.1\r\n\r\n", "request")]
    outcomes = read_bytes("crawl.warc", b"".join(compressed(record, packing) for record in records))
    first = len(records[0])
    assert outcomes == [
        Ignored(0, "warcinfo"),
        Record(
            offset=first,
            own_id="<urn:uuid:0001>",
            url="https://tides.example/1",
            crawled_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
            payload=PAGE,
            raw=PAGE,
            status=200,
            content_type="text/html; charset=utf-8",
        ),
        outcomes[2],
        Ignored(first + len(records[1]) + len(records[2]), "request"),
    ]
    assert outcomes[2].offset == first + len(records[1])


def test_what_warcio_writes_is_read():
    outcomes = read_bytes("crawl.warc.gz", written_by_warcio())
    assert [type(outcome) for outcome in outcomes] == [Ignored, Record, Record, Record, Ignored]
    assert (outcomes[1].status, outcomes[2].status, outcomes[2].content_type) == (404, None, "text/html")
    assert outcomes[1].payload == outcomes[2].payload == PAGE


def written_by_warcio() -> bytes:
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=True)
    headers = StatusAndHeaders("404 Not Found", [("Content-Type", "text/html")], protocol="HTTP/1.0")
    records = [
        writer.create_warcinfo_record("x.warc.gz", {"software": "test"}),
        writer.create_warc_record("https://a.example/", "response", payload=io.BytesIO(PAGE), http_headers=headers),
        writer.create_warc_record("https://a.example/f", "resource", payload=io.BytesIO(PAGE), warc_content_type="text/html"),
        writer.create_warc_record("https://a.example/t", "conversion", payload=io.BytesIO("Gezeiten – Ebbe".encode())),
        writer.create_revisit_record("https://a.example/r", "sha1:A", "https://a.example/", "2024-01-01T00:00:00Z"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # warcio leaves its temporary files to the garbage collector
        for record in records:
            writer.write_record(record)
        del record, records
        gc.collect()
    return file.getvalue()


def test_kinds_that_are_no_documents_are_counted_by_name():
    kinds = ["warcinfo", "request", "metadata", "revisit", "continuation", "invention"]
    outcomes = read_bytes("a.warc", b"".join(warc(b"x", kind) for kind in kinds))
    assert [outcome.kind for outcome in outcomes] == [*kinds[:-1], "other"]


def test_wet_text_is_text_and_bad_text_has_a_reason():
    texts = ["Die Flut. 潮".encode(), b"\xff\xfe broken", b"a\0b", b""]
    outcomes = read_bytes("a.warc.wet", b"".join(warc(text, "conversion") for text in texts))
    assert reasons(outcomes) == ["Record", "undecodable", "Record", "Record"]
    assert (outcomes[2].payload, outcomes[2].raw, outcomes[2].repairs) == ("ab", b"a\0b", {"nul": 1})
    assert outcomes[0].payload == "Die Flut. 潮"
    assert outcomes[0].raw == texts[0]
    assert outcomes[3].payload == ""


CHUNKED = b"5\r\n" + PAGE[:5] + b"\r\n%x;name=value\r\n" % (len(PAGE) - 5) + PAGE[5:] + b"\r\n"


def deflated(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(plain) + packer.flush()


@pytest.mark.parametrize(
    ("headers", "stored"),
    [
        (b"Transfer-Encoding: chunked\r\n", CHUNKED + b"0\r\nTrailer: x\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED.replace(b"\r\n", b"\n") + b"0\n\n"),
        (b"Transfer-Encoding: chunked\r\n", PAGE),
        (b"Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)),
        (b"Content-Encoding: x-gzip\r\n", gzip.compress(PAGE[:9], mtime=0) + gzip.compress(PAGE[9:], mtime=0)),
        (b"Content-Encoding: gzip\r\n", PAGE),
        (b"Content-Encoding: deflate\r\n", zlib.compress(PAGE)),
        (b"Content-Encoding: deflate\r\n", deflated(PAGE)),
        (b"Content-Encoding: deflate\r\n", PAGE),
        (b"Content-Encoding: br\r\n", compressed(PAGE, "brotli")),
        (b"Content-Encoding: br\r\n", PAGE),
        (b"Content-Encoding: zstd\r\n", compressed(PAGE, "zstd")),
        (b"Content-Encoding: deflate, gzip\r\n", gzip.compress(zlib.compress(PAGE), mtime=0)),
        (b"Content-Encoding: UTF-8\r\n", PAGE),
    ],
)
def test_bodies_are_decoded_or_taken_as_they_were_stored(headers, stored):
    [record] = read_bytes("a.warc", page(body=stored, headers=headers))
    assert record.payload == PAGE
    assert record.raw == stored


@pytest.mark.parametrize(
    ("headers", "stored", "reason"),
    [
        (b"Transfer-Encoding: chunked\r\n", CHUNKED[:-10], "bad_chunking"),
        (b"Transfer-Encoding: chunked\r\n", CHUNKED + b"nonsense", "bad_chunking"),
        (b"Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)[:-12], "bad_content_encoding"),
        (b"Content-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)[:-5] + b"12345", "bad_content_encoding"),
        (b"Content-Encoding: br\r\n", b"\x91nothing that brotli knows", "bad_content_encoding"),
        (b"Content-Encoding: gzip\r\n", gzip.compress(bytes(300 << 20), 1, mtime=0), "too_large"),
        (b"Content-Encoding: br\r\n", compressed(bytes(64 << 20), "brotli"), "too_large"),
    ],
)
def test_bodies_that_break_have_a_reason(headers, stored, reason):
    broken, after = read_bytes("a.warc", page(1, stored, headers) + page(2))
    assert (broken.reason, broken.own_id, broken.url, broken.raw) == (reason, "<urn:uuid:0001>", "https://tides.example/1", stored)
    assert after.payload == PAGE


def test_a_body_that_the_crawler_cut_is_decoded_as_far_as_it_goes():
    plain = b"<html>" + b"".join(b"<p>tide %d</p>" % n for n in range(5000))
    cut = page(1, gzip.compress(plain)[:4000], b"Content-Encoding: gzip\r\n", extra="WARC-Truncated: length\r\n")
    chunked = page(2, CHUNKED[:-10], b"Transfer-Encoding: chunked\r\n", extra="WARC-Truncated: length\r\n")
    first, second = read_bytes("a.warc", cut + chunked)
    assert len(first.payload) > 1000
    assert plain.startswith(first.payload)
    assert first.metadata == {"warc_truncated": "length"}
    assert second.payload == PAGE[:-8]


@pytest.mark.parametrize("cut", [1, 10, 60, 300])
def test_a_truncated_gzip_loses_one_record_and_says_so(cut):
    whole = gzip.compress(page(1), mtime=0) + gzip.compress(page(2), mtime=0)
    outcomes = read_bytes("a.warc.gz", whole[:-cut])
    if cut < len(gzip.compress(page(2), mtime=0)):
        assert reasons(outcomes) == ["Record", "truncated"]
        assert outcomes[1].offset == len(page(1))
    else:
        assert reasons(outcomes) == ["truncated"]


@pytest.mark.parametrize("packing", ["lz4", "zstd"])
def test_truncated_frames_are_noticed(packing):
    whole = compressed(page(1), packing) + compressed(page(2), packing)
    outcomes = read_bytes("a.warc", whole[:-20])
    assert outcomes[-1].reason == "truncated"


def test_a_wrong_checksum_breaks_the_record_it_vouches_for():
    member = bytearray(gzip.compress(page(2), mtime=0))
    member[-7] ^= 1
    outcomes = read_bytes("a.warc.gz", gzip.compress(page(1)) + bytes(member))
    assert reasons(outcomes) == ["Record", "corrupt"]


def test_a_corrupt_gzip_member_costs_one_row():
    members = [gzip.compress(page(number, PAGE * number), mtime=0) for number in range(1, 5)]
    for at in range(0, len(members[1]), 7):
        spoilt = bytearray(members[1])
        spoilt[at] ^= 0x55
        outcomes = read_bytes("a.warc.gz", members[0] + bytes(spoilt) + members[2] + members[3])
        assert [outcome.own_id for outcome in (outcomes[0], *outcomes[-2:])] == ["<urn:uuid:0001>", "<urn:uuid:0003>", "<urn:uuid:0004>"]
        if at not in (7,):  # the member's time and the like: no checksum covers them
            assert reasons(outcomes) == ["Record", "corrupt", "Record", "Record"], at


def test_what_lies_between_gzip_members_costs_one_row():
    outcomes = read_bytes("a.warc.gz", gzip.compress(page(1)) + b"\x1f\x8b\x08\x00 nonsense" * 9 + gzip.compress(page(2)))
    assert reasons(outcomes) == ["Record", "corrupt", "Record"]


def test_padding_after_a_gzip_member_is_nothing_but_other_bytes_are_noticed():
    assert reasons(read_bytes("a.warc.gz", gzip.compress(page(1)) + bytes(1000) + gzip.compress(page(2)) + bytes(9))) == [
        "Record",
        "Record",
    ]
    outcomes = read_bytes("a.warc.gz", gzip.compress(page(1)) + b"and then something else")
    assert reasons(outcomes) == ["Record", "corrupt"]
    assert outcomes[1].offset == len(page(1))


def test_a_file_that_ends_in_a_record_of_no_interest_is_noticed_too():
    whole = page(1) + warc(b"GET / HTTP/1.1\r\n\r\n", "request")
    for cut in range(5, 200):
        outcomes = read_bytes("a.warc", whole[:-cut])
        assert reasons(outcomes)[:2] == ["Record", "truncated"]


def test_one_gzip_member_for_many_records_is_read():
    assert reasons(read_bytes("a.warc.gz", gzip.compress(page(1) + page(2) + page(3)))) == ["Record"] * 3


@pytest.mark.parametrize("length", [0, 20, len(HTTP % b"" + PAGE) - 3, 200, 350, 500, 10**6, 10**9, 10**15])
def test_a_wrong_length_costs_one_record(length):
    lie = page(1, length=length)
    outcomes = read_bytes("a.warc", lie + page(2) + page(3) + page(4))
    assert reasons(outcomes) == ["wrong_content_length", "Record", "Record", "Record"]
    assert (outcomes[0].offset, outcomes[0].own_id, outcomes[1].offset) == (0, "<urn:uuid:0001>", len(lie))


@pytest.mark.parametrize("line", ["Content-Length: -5", "Content-Length: many", "Content-Size: 12", "Content-Length: " + "9" * 30])
def test_a_record_without_a_length_costs_one_record(line):
    bad = page(1).replace(f"Content-Length: {len(HTTP % b'' + PAGE)}".encode(), line.encode())
    assert reasons(read_bytes("a.warc", bad + page(2))) == ["bad_content_length", "Record"]


def test_bytes_between_records_are_one_row():
    garbage = b"this is no record\nnor is this: \x00\xff\nWARC/ but no\n"
    outcomes = read_bytes("a.warc", page(1) + garbage + page(2) + garbage)
    assert reasons(outcomes) == ["Record", "garbage", "Record", "garbage"]
    assert outcomes[1].offset == len(page(1))
    assert str(len(garbage)) in outcomes[1].detail


def test_line_ends_and_spacing_are_forgiven():
    lf = page(1).replace(b"\r\n", b"\n")
    lf = lf.replace(
        b"Content-Length: %d" % len(HTTP % b"" + PAGE), b"Content-Length: %d" % len((HTTP % b"" + PAGE).replace(b"\r\n", b"\n"))
    )
    assert b"\r" not in lf
    outcomes = read_bytes("a.warc", lf + page(3) + b"\r\n\r\n\r\n" + page(4))
    assert [outcome.payload for outcome in outcomes] == [PAGE] * 3
    spaced = warc(b"HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n" + PAGE).replace(
        b"https://tides.example/1", b"<https://a.example/high water>"
    )
    [record] = read_bytes("a.warc", spaced.rstrip(b"\r\n"))
    assert (record.url, record.status, record.payload) == ("https://a.example/high water", 200, PAGE)


def test_a_response_of_another_protocol_is_its_block():
    dns, stored, no_http = read_bytes(
        "a.warc", warc(b"a.example 1.2.3.4", mime="text/dns") + warc(PAGE, mime="text/html") + warc(PAGE, mime="application/http")
    )
    assert (dns.content_type, dns.status, dns.payload) == ("text/dns", None, b"a.example 1.2.3.4")
    assert (stored.content_type, stored.payload) == ("text/html", PAGE)
    assert no_http.reason == "bad_http"


def test_heads_that_cannot_be_read():
    no_kind = page(1).replace(b"WARC-Type: response\r\n", b"")
    endless = b"WARC/1.0\r\n" + b"X: y\r\n" * 10_000
    assert reasons(read_bytes("a.warc", no_kind + endless + b"\r\n" + page(2))) == ["bad_header", "bad_content_length", "Record"]
    no_status = warc(b"HTTP/1.1 fine\r\n\r\n" + PAGE)
    assert reasons(read_bytes("a.warc", no_status)) == ["bad_http"]
    assert reasons(read_bytes("a.warc", b"WARC/1.0\r\nWARC-Type: resp")) == ["truncated"]


def test_a_record_over_the_limit_is_passed_over_unless_it_is_no_document():
    huge = bytes(MAX_RECORD_BYTES + 1)
    outcomes = read_bytes("a.warc", warc(huge, "resource") + warc(huge, "metadata") + page(1))
    assert reasons(outcomes) == ["too_large", "Ignored", "Record"]
    for kind in ("resource", "metadata"):
        assert reasons(read_bytes("a.warc", warc(huge, kind)[:-1000])) == ["truncated"]


@pytest.mark.parametrize("more", [-1, 0, 1, 40 << 20])
@pytest.mark.parametrize("packing", ["", "gzip"])
def test_a_length_beyond_the_limit_in_a_longer_file_costs_its_own_record_only(more, packing):
    """The length spans whole records after its own: they are read, and the row says that the length is wrong."""
    length = MAX_RECORD_BYTES + 1 + more
    records = [page(1, length=length), *(page(number) for number in (2, 3)), warc(bytes(MAX_RECORD_BYTES - 1000), "metadata"), page(4)]
    records += [warc(bytes(MAX_RECORD_BYTES - 1000), "metadata"), page(5)]
    outcomes = read_bytes("a.warc", b"".join(compressed(record, packing) for record in records))
    assert reasons(outcomes) == ["wrong_content_length", "Record", "Record", "Ignored", "Record", "Ignored", "Record"]
    assert f"says it has {length} bytes, but" in outcomes[0].detail


def arc(block: bytes, url: str = "http://a.example/x y", length: str | None = None) -> bytes:
    return f"{url} 1.2.3.4 20140216050221 text/html {len(block) if length is None else length}\n".encode() + block + b"\n"


FILEDESC = arc(b"1 0 Nobody\nURL IP-address Archive-date Content-type Archive-length\n", "filedesc://a.arc")


@pytest.mark.parametrize("packing", ["", "gzip"])
def test_arc_records(packing):
    records = [FILEDESC, arc(HTTP % b"" + PAGE), arc(PAGE), arc(HTTP % b"Content-Encoding: gzip\r\n" + gzip.compress(PAGE))]
    outcomes = read_bytes("a.arc", b"".join(compressed(record, packing) for record in records))
    assert outcomes[0] == Ignored(0, "filedesc")
    first = outcomes[1]
    assert (first.offset, first.own_id, first.url, first.status) == (len(FILEDESC), None, "http://a.example/x y", 200)
    assert first.crawled_at == datetime(2014, 2, 16, 5, 2, 21, tzinfo=UTC)
    assert [outcome.payload for outcome in outcomes[1:]] == [PAGE] * 3
    assert (outcomes[2].status, outcomes[2].content_type) == (None, "text/html")


def test_arc_damage():
    good = arc(HTTP % b"" + PAGE)
    assert reasons(read_bytes("a.arc", FILEDESC + arc(PAGE, length="-1") + good)) == ["Ignored", "bad_content_length", "Record"]
    assert reasons(read_bytes("a.arc", FILEDESC + arc(PAGE, length="7") + good)) == ["Ignored", "wrong_content_length", "Record"]
    assert reasons(read_bytes("a.arc", FILEDESC + b"garbage\n\n" + good)) == ["Ignored", "garbage", "Record"]
    assert reasons(read_bytes("a.arc", FILEDESC + good[:-9])) == ["Ignored", "truncated"]


REAL = {
    "malformed/cc_net__sample.warc.txt": "warcinfo wrong_content_length*3",
    "malformed/chatnoir-resiliparse__block-sized-records.warc.gz": "other*3",
    "malformed/chatnoir-resiliparse__clipped.warc.gz": "truncated",
    "malformed/jwarc__gzip_extra_sl.warc.gz": "warcinfo",
    "malformed/pywb__missing-status-text.warc": "Record",
    "malformed/warcio__bad.arc": "filedesc bad_content_length*2 Record",
    "malformed/warcio__example-bad-non-chunked.warc.gz": "warcinfo*2 request*2 revisit Record",
    "malformed/warcio__example-bad.warc.gz.bad": "warcinfo request*2 revisit Record*2",
    "malformed/warcio__example-space-in-target-uri.warc.gz": "warcinfo Record",
    "malformed/warcio__example-trunc.warc": "warcinfo*2 request wrong_content_length",
    "malformed/warcio__example-wget-bad-target-uri.warc.gz": "warcinfo request metadata Record*3",
    "malformed/warcio__example-wrong-chunks.warc.gz": "request Record",
    "real/chatnoir-resiliparse__warcfile.warc.gz": "warcinfo request*17 metadata*16 Record*16",
    "real/chatnoir-resiliparse__warcfile.warc.lz4": "warcinfo request*17 metadata*16 Record*16",
    "real/dolma__sample-0000.warc.gz": "warcinfo request*22 metadata Record*24",
    "real/dolma__sample-0001.warc.gz": "warcinfo request*15 metadata Record*17",
    "real/jwarc__cc.warc.gz": "Record",
    "real/pywb__dupes.warc.gz": "warcinfo request*12 revisit*9 Record*3",
    "real/pywb__example-url-agnostic-orig.warc.gz": "warcinfo Record",
    "real/pywb__example-url-agnostic-revisit.warc.gz": "warcinfo revisit",
    "real/pywb__example-wget-1-14.warc.gz": "warcinfo request Record*4",
    "real/pywb__example-wpull.warc.gz": "warcinfo request Record*2",
    "real/pywb__iana.warc.gz": "warcinfo request*171 revisit*123 Record*48",
    "real/warc-specifications__20130729-heritrix-original.warc.gz": "Record",
    "real/warc-specifications__20130729-heritrix-revisit-with-http-headers.warc.gz": "revisit",
    "real/warc-specifications__hello-world.warc.gz": "warcinfo request metadata Record*3",
    "real/warcio__example-digest.warc": "request*4",
    "real/warcio__example-iana.org-chunked.warc": "warcinfo request Record",
    "real/warcio__example-resource.warc.gz": "warcinfo*2 Record",
    "real/warcio__example-space-in-url.arc": "filedesc truncated",
    "real/warcio__example.arc": "filedesc Record",
    "real/warcio__example.arc.gz": "filedesc Record",
    "real/warcio__example.warc": "warcinfo*2 request*2 revisit Record",
    "real/warcio__example.warc.gz": "warcinfo*2 request*2 revisit Record",
    "real/warcio__post-test.warc.gz": "request*3 Record*3",
    "real/whirlwind-python__whirlwind.warc.gz": "warcinfo request metadata Record",
    "real/whirlwind-python__whirlwind.warc.wat.gz": "warcinfo metadata",
    "real/whirlwind-python__whirlwind.warc.wet": "warcinfo Record",
    "real/whirlwind-python__whirlwind.warc.wet.gz": "warcinfo Record",
}


def test_archives_of_real_crawlers(real_data):
    found = {}
    for path in sorted((real_data / "warc").glob("*/*")):
        outcomes = read_path(path)
        found[f"{path.parent.name}/{path.name}"] = Counter(
            outcome.kind if isinstance(outcome, Ignored) else reasons([outcome])[0] for outcome in outcomes
        )
    expected = {}
    for name, words in REAL.items():
        counts = (word.partition("*") for word in words.split())
        expected[name] = Counter({word: int(count or 1) for word, _, count in counts})
    assert found == expected


def test_the_same_crawl_compressed_twice_gives_the_same_records(real_data):
    folder = real_data / "warc" / "real"
    assert read_path(folder / "chatnoir-resiliparse__warcfile.warc.gz") == read_path(folder / "chatnoir-resiliparse__warcfile.warc.lz4")


def test_zstd_and_lz4_come_from_arrow():
    assert pa.Codec.is_available("zstd")
    assert pa.Codec.is_available("lz4")
