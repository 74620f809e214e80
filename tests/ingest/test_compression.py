"""Compressed files of every make: members one after the other, windows and dictionaries of Zstandard, damage in one of many members."""

import bz2
import gzip
import lzma
import random

import pytest
from backports import zstd

from curation.ingest.readers import Broken, Record
from tests.ingest.test_readers_archives import page
from tests.ingest.test_readers_rows import lines, reasons
from tests.reading import compressed, read_bytes

PACKERS = {
    "gz": lambda plain: gzip.compress(plain, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda plain: zstd.compress(plain, options={zstd.CompressionParameter.checksum_flag: 1}),
}
WORDS = ["tide", "ebb", "flow", "sea", "moon", "water", "high", "low", "spring", "neap", "harbour", "gauge"]
ROWS = [{"id": f"r{n}", "text": " ".join(random.Random(n).choices(WORDS, k=60))} for n in range(90)]


def texts(outcomes) -> list[str]:
    return [outcome.own_id for outcome in outcomes if isinstance(outcome, Record)]


IDS = [row["id"] for row in ROWS]


@pytest.mark.parametrize("ending", PACKERS)
def test_members_follow_each_other_with_padding_between(ending):
    content = b"".join(PACKERS[ending](lines(*ROWS[start : start + 30])) + bytes(8) for start in (0, 30, 60))
    assert texts(read_bytes(f"a.jsonl.{ending}", content)) == IDS
    assert texts(read_bytes("a", content)) == IDS


@pytest.mark.parametrize("ending", PACKERS)
def test_damage_in_one_member_does_not_cost_those_after_it(ending):
    packed = [PACKERS[ending](lines(*ROWS[start : start + 30])) for start in (0, 30, 60)]
    damaged = bytearray(packed[1])
    damaged[len(damaged) // 2] ^= 0x10
    outcomes = read_bytes(f"a.jsonl.{ending}", packed[0] + bytes(damaged) + packed[2])
    found = texts(outcomes)
    assert found[:30] == IDS[:30]
    assert found[-30:] == IDS[-30:]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Broken) and outcome.reason == "corrupt"] == ["corrupt"]


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("name", ["a.jsonl", "a"])
def test_a_first_member_of_which_nothing_can_be_read_does_not_cost_those_after_it(ending, name):
    first, *others = (PACKERS[ending](lines(*ROWS[start : start + 30])) for start in (0, 30, 60))
    spoilt = first[:10] + bytes([255]) * (len(first) - 10)
    outcomes = read_bytes(f"{name}.{ending}", spoilt + b"".join(others))
    assert reasons(outcomes)[0] == "corrupt"
    assert texts(outcomes) == IDS[30:]
    assert reasons(read_bytes(f"{name}.{ending}", spoilt)) == ["corrupt"]


@pytest.mark.parametrize("ending", PACKERS)
def test_archives_of_many_members_lose_one_record(ending):
    packed = [PACKERS[ending](page(number, body=b"<p>" + str(number).encode() * 400)) for number in range(5)]
    damaged = bytearray(packed[2])
    damaged[len(damaged) * 2 // 3] ^= 0x10
    outcomes = read_bytes(f"a.warc.{ending}", b"".join([*packed[:2], bytes(damaged), *packed[3:]]))
    assert reasons(outcomes) == ["Record", "Record", "corrupt", "Record", "Record"]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_cut_file_says_so(ending):
    content = PACKERS[ending](lines(*ROWS))
    for cut in (1, 5, len(content) // 2, len(content) - 12):
        assert reasons(read_bytes(f"a.jsonl.{ending}", content[:-cut]))[-1] == "truncated"


GARBAGE = b"garbage that is no member"


@pytest.mark.parametrize("ending", PACKERS)
def test_a_whole_last_line_before_garbage_is_a_record(ending):
    whole = lines(*ROWS[:3]).rstrip(b"\n")
    for rest in (GARBAGE, GARBAGE + PACKERS[ending](lines(*ROWS[3:5]))):
        outcomes = read_bytes(f"a.jsonl.{ending}", PACKERS[ending](whole) + rest)
        assert reasons(outcomes) == ["Record"] * 3 + ["corrupt"] + ["Record"] * (2 if rest != GARBAGE else 0)
        assert outcomes[3].offset == len(whole)
    assert reasons(read_bytes(f"a.jsonl.{ending}", PACKERS[ending](whole[:-1]) + GARBAGE)) == ["Record"] * 2 + ["corrupt"]


def test_frames_of_lz4_around_garbage_are_read():
    first, second = (compressed(lines(*ROWS[start : start + 30]), "lz4") for start in (0, 30))
    skipped = b"\x5a\x2a\x4d\x18\x03\0\0\0abc"
    for between in (b"", bytes(9), skipped):
        assert texts(read_bytes("a.jsonl.lz4", first + between + second + between)) == IDS[:60]
    for garbage in (b"X", b"\n", GARBAGE, GARBAGE * 9_000):
        outcomes = read_bytes("a.jsonl.lz4", first + garbage + second + garbage)
        assert reasons(outcomes) == ["Record"] * 30 + ["corrupt"] + ["Record"] * 30 + ["corrupt"]
    assert texts(read_bytes("a.jsonl.lz4", first + second[:-9])) == IDS[:30]
    spoilt = first[:40] + bytes([255]) * 40 + first[80:]
    assert texts(read_bytes("a.jsonl.lz4", second + spoilt + second))[:30] == IDS[30:60]


def test_a_whole_last_line_that_no_checksum_confirms_is_doubted():
    content = gzip.compress(lines(*ROWS[:3]).rstrip(b"\n"), mtime=0)
    assert reasons(read_bytes("a.jsonl.gz", content[:-8])) == ["Record"] * 2 + ["truncated"]


def test_the_whole_last_line_of_an_lz4_frame_is_a_record():
    """Its library reads in blocks of 4 KiB, and loses the block in which data break off."""
    row = {"text": "x" * (4096 - len(lines({"text": ""})) + 1)}
    whole = lines(row).rstrip(b"\n")
    assert len(whole) == 4096
    assert reasons(read_bytes("a.jsonl.lz4", compressed(whole, "lz4") + GARBAGE)) == ["Record", "corrupt"]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_whole_page_before_garbage_is_a_record(ending):
    page_file = b"<html><p>ebb and flow</p></html>\n"
    outcomes = read_bytes(f"a.html.{ending}", PACKERS[ending](page_file) + GARBAGE)
    assert reasons(outcomes) == ["Record", "corrupt"]
    assert outcomes[0].payload == page_file
    assert reasons(read_bytes(f"a.html.{ending}", PACKERS[ending](page_file[:20]) + GARBAGE)) == ["corrupt"]


@pytest.mark.parametrize(("ending", "coding"), [("gz", b"gzip"), ("zst", b"zstd")])
def test_garbage_after_a_compressed_body_is_ignored(ending, coding):
    body = b"<html><p>ebb and flow</p></html>"
    content = page(1, PACKERS[ending](body) + GARBAGE, b"Content-Encoding: " + coding + b"\r\n")
    assert [outcome.payload for outcome in read_bytes("a.warc", content)] == [body]


@pytest.mark.parametrize("ending", PACKERS)
def test_the_last_record_of_an_archive_before_garbage_is_a_record(ending):
    assert reasons(read_bytes(f"a.warc.{ending}", PACKERS[ending](page(1)) + GARBAGE)) == ["Record", "corrupt"]


@pytest.mark.parametrize("window", [27, 28, 31])
def test_zstandard_windows_of_any_length(window):
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window})
    content = stream.compress(lines(*ROWS[:45])) + stream.compress(lines(*ROWS[45:])) + stream.flush()
    assert zstd.get_frame_info(content).decompressed_size is None, "only a stream whose size is unknown needs the whole window"
    assert texts(read_bytes("a.jsonl.zst", content)) == IDS


def dictionary() -> zstd.ZstdDict:
    pages = [page(number, body=b"<p>" + ROWS[number % 90]["text"].encode()) for number in range(200)]
    return zstd.train_dict(pages, 4096)


def in_skippable_frame(content: bytes) -> bytes:
    return b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


@pytest.mark.parametrize("packing", ["", "zstd"])
def test_a_dictionary_in_the_first_skippable_frame(packing):
    """As ArchiveTeam writes `.warc.zst`."""
    words = dictionary()
    head = in_skippable_frame(compressed(words.dict_content, packing))
    frames = [zstd.compress(page(number, body=b"<p>ebb and flow"), zstd_dict=words) for number in range(3)]
    outcomes = read_bytes("a.warc.zst", head + b"".join(frames))
    assert reasons(outcomes) == ["Record"] * 3
    twice = read_bytes("a.warc.zst", (head + b"".join(frames)) * 2)
    assert reasons(twice) == ["Record"] * 6


def test_a_dictionary_that_is_not_there_is_named():
    words = dictionary()
    content = zstd.compress(lines(*ROWS), zstd_dict=words)
    for given in (content, in_skippable_frame(b"something else") + content):
        outcomes = read_bytes("a.jsonl.zst", given)
        assert reasons(outcomes) == ["needs_dictionary"]
        assert f"dictionary {words.dict_id}" in outcomes[0].detail
        assert "zstd -d -D" in outcomes[0].detail


def test_a_dictionary_that_is_broken_or_another_one_is_named():
    words = dictionary()
    other = zstd.train_dict([lines({"text": f"other {number} words {number * 7}"}) * 3 for number in range(300)], 4096)
    assert other.dict_id != words.dict_id
    head, row = in_skippable_frame(words.dict_content), zstd.compress(lines(*ROWS), zstd_dict=words)
    second = zstd.compress(lines(*ROWS), zstd_dict=other)
    for content, expected, detail in (
        (head + row + second, [*["Record"] * len(ROWS), "needs_dictionary"], f"dictionary {other.dict_id}"),
        (head[:-5], ["truncated"], "ends within its dictionary"),
        (head[:4] + (1 << 31).to_bytes(4, "little") + row, ["corrupt"], f"a dictionary of {1 << 31} bytes"),
        (in_skippable_frame(words.dict_content[:40]) + row, ["corrupt"], "the dictionary cannot be read"),
    ):
        outcomes = read_bytes("a.jsonl.zst", content)
        assert reasons(outcomes) == expected
        assert detail in outcomes[-1].detail
    both = head + row + in_skippable_frame(other.dict_content) + second
    assert reasons(read_bytes("a.jsonl.zst", both)) == ["Record"] * 2 * len(ROWS), "the last dictionary counts"


def test_xz_that_needs_too_much_memory_is_named(monkeypatch):
    monkeypatch.setattr("curation.ingest.readers.members._XZ_MEMORY", 1 << 20)
    assert reasons(read_bytes("a.jsonl.xz", lzma.compress(lines(*ROWS), preset=6))) == ["needs_memory"]


@pytest.mark.parametrize("ending", ["gz", "xz", "zst"])
def test_what_repeats_itself_is_no_bomb(ending):
    """40 MB from some kilobytes; as it was in no reader a limit on one record."""
    row = lines({"text": "The river carries silt. " * 400})
    outcomes = read_bytes(f"a.jsonl.{ending}", PACKERS[ending](row * 4200))
    assert len(outcomes) == 4200
    assert set(reasons(outcomes)) == {"Record"}
