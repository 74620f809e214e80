"""No row of a Parquet file vanishes: what cannot be read is counted, what can be read stands beside the values of its own row."""

import json
import random
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.in_memory.text_batches import parquet_texts
from curation.ingest.readers import Broken, Record
from curation.ingest.readers.parquet_groups import claimed_rows
from curation.ingest.readers.parquet_pages import announced_values, lies_about_levels
from curation.storage.location import Location
from tests.reading import read_bytes
from tests.running import curate

ROWS = 600
TABLE = pa.table(
    {
        "id": [f"r{n}" for n in range(ROWS)],
        "text": [f"Tide {n}: {n * 7919 % 10007} and high water." for n in range(ROWS)],
        "label": [f"label {n} {n * 104729 % 1009}" for n in range(ROWS)],
    }
)
KINDS = {
    "pages": {"use_dictionary": False, "data_page_size": 500, "write_batch_size": 50},
    "pages 2": {"use_dictionary": False, "data_page_size": 500, "write_batch_size": 50, "data_page_version": "2.0"},
    "dictionary": {"use_dictionary": True, "compression": "snappy"},
    "delta": {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY", "data_page_size": 500, "write_batch_size": 50},
}


def parquet(**options) -> bytes:
    file = pa.BufferOutputStream()
    pq.write_table(TABLE, file, **{"write_page_checksum": True, "row_group_size": 200, "compression": "none", **options})
    return file.getvalue().to_pybytes()


def accounted(outcomes) -> int:
    return sum(outcome.records if isinstance(outcome, Broken) else 1 for outcome in outcomes)


def assert_rows_stand_together(outcomes) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Record):
            number = int(outcome.payload.removeprefix("Tide ").partition(":")[0])
            assert outcome.offset == number
            assert outcome.own_id in (None, f"r{number}")
            assert outcome.metadata.get("label", f"label {number}").startswith(f"label {number}")


def pages(content: bytes, column: int, group: int = 1) -> tuple[int, int]:
    """Return where a column chunk starts and how many bytes it has."""
    chunk = pq.ParquetFile(pa.BufferReader(content)).metadata.row_group(group).column(column)
    return chunk.dictionary_page_offset or chunk.data_page_offset, chunk.total_compressed_size


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_lose_no_row_in_silence(kind):
    """Over whole files: headers of pages, pages and the footer."""
    content = parquet(**KINDS[kind])
    whole = read_bytes("a.parquet", content)
    assert [outcome.offset for outcome in whole] == list(range(ROWS))
    chance = random.Random(kind)
    damaged = 0
    for _ in range(100):
        place, bit = chance.randrange(len(content)), chance.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        outcomes = read_bytes("a.parquet", bytes(flipped))
        if len(outcomes) == 1 and outcomes[0].records == 1:
            assert place > pages(content, 2, 2)[0] or place < 4, "only a footer that cannot be read hides how many rows there were"
            continue
        assert accounted(outcomes) >= ROWS
        assert_rows_stand_together(outcomes)
        damaged += outcomes != whole
    assert damaged > 40


@pytest.mark.parametrize("kind", KINDS)
def test_flips_in_page_headers(kind):
    """Every byte of the first header of each column of one row group, and of a header in its middle."""
    content = parquet(**KINDS[kind])
    whole = read_bytes("a.parquet", content)
    told = Counted()
    for column in range(3):
        start, size = pages(content, column)
        headers = [start, *(place for place in _headers(content, start, size)[1:2])]
        for header in headers:
            for place in range(header, header + 20):
                flipped = bytearray(content)
                flipped[place] ^= 1 << place % 7
                outcomes = read_bytes("a.parquet", bytes(flipped))
                assert accounted(outcomes) == ROWS
                assert_rows_stand_together(outcomes)
                if column != 1:
                    assert len(outcomes) == ROWS, "damage in a side column costs no text"
                told.see(outcomes, whole)
    assert told.rows_lost > 5
    assert told.fields_lost > 10


class Counted:
    def __init__(self) -> None:
        self.rows_lost = self.fields_lost = 0

    def see(self, outcomes, whole) -> None:
        self.rows_lost += len(outcomes) < len(whole)
        self.fields_lost += any(isinstance(outcome, Record) and outcome.repairs for outcome in outcomes)


def _headers(content: bytes, start: int, size: int) -> list[int]:
    """Return where pages begin, as the walk over them passes by."""
    seen = []

    def read_at(offset: int, length: int) -> bytes:
        seen.append(offset)
        return content[offset : offset + length]

    assert announced_values(read_at, start, size, 10**9) is not None
    return seen


def test_a_wrong_count_in_the_middle_costs_a_side_column_only():
    content = bytearray(parquet(**KINDS["pages"]))
    second = _headers(bytes(content), *pages(bytes(content), 2))[1]
    place = content.index(b"\x1c\x15", second)  # the struct after the checksum; its first field is the number of values, zigzag
    assert content[place + 2] > 4
    content[place + 2] -= 2
    outcomes = read_bytes("a.parquet", bytes(content))
    assert len(outcomes) == ROWS
    lost = [outcome.offset for outcome in outcomes if outcome.repairs == {"lost_field": 1}]
    assert lost == list(range(200, 400))
    assert_rows_stand_together(outcomes)


def test_a_run_counts_lost_rows_and_fields(tmp_path):
    content = bytearray(parquet(**KINDS["pages"]))
    for column in (1, 2):
        start, _ = pages(bytes(content), column, group=column)
        place = content.index(b"\x1c\x15", start)
        content[place + 2] -= 2
    (tmp_path / "rows.parquet").write_bytes(content)
    (tmp_path / "recipe.toml").write_text("[extractor]\nname = 'plain'\n")
    told = curate("run", tmp_path / "recipe.toml", tmp_path / "rows.parquet", "--out", tmp_path / "out")
    assert "In addition, 199 further records could not be read" in told
    ledger = pl.read_parquet(tmp_path / "out/ledger/*.parquet")
    [evidence] = ledger.filter(pl.col("fate") == "unreadable")["evidence"]
    assert json.loads(evidence)["records"] == 200
    session = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"][-1]
    assert session["books"] == {"records": 401, "fates": {"kept": 400, "unreadable": 1}, "faults": [], "lost": 199}
    [sidecar] = (json.loads(path.read_text("utf-8")) for path in (tmp_path / "out/stages/1-ingest").rglob("*.json") if "small" in path.name)
    assert sidecar["counts"]["edits"] == {"reading.lost_field": 200}
    assert Location.of(tmp_path / "rows.parquet").exists()


def test_texts_read_without_a_run_lose_no_row_either(tmp_path):
    content = bytearray(parquet(**KINDS["pages"]))
    place = content.index(b"\x1c\x15", pages(bytes(content), 1)[0])
    content[place + 2] -= 2
    (tmp_path / "rows.parquet").write_bytes(content)
    first, second, _ = parquet_texts([tmp_path / "rows.parquet"])
    assert len(first()) == 200
    with pytest.raises(InputError, match="199 texts"):
        second()


@pytest.mark.parametrize(
    ("rows", "flat", "nested", "claimed"),
    [
        (5, [5, 5, 5], [], 5),
        (9, [5, 5, 5], [], 5),
        (4, [6, 8], [], 4),
        (3, [7, 7, 9, 9], [], 9),
        (5, [5], [8, 8, 8], 5),
        (6, [5, 5], [6, 6, 6], 5),
    ],
)
def test_the_rows_of_a_group_are_what_most_columns_say(rows, flat, nested, claimed):
    """Of a tie the group's own count wins, else the larger one: a row too many is told as lost. Lists have more values than rows."""
    values = [*flat, *nested]
    facts = SimpleNamespace(num_rows=rows, num_columns=len(values), column=lambda index: SimpleNamespace(num_values=values[index]))
    levels = [SimpleNamespace(max_repetition_level=int(index >= len(flat))) for index in range(len(values))]
    parquet = SimpleNamespace(metadata=SimpleNamespace(row_group=lambda group: facts), schema=SimpleNamespace(column=levels.__getitem__))
    assert claimed_rows(parquet, 0) == claimed


def test_a_footer_that_would_end_the_process_is_told():
    """Found by fuzzing: Arrow throws where nobody catches when a level histogram has another length than the column has levels."""
    content = parquet(compression="none", use_dictionary=False)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    levels = [(0, 1, True)] * 3
    assert not lies_about_levels(content[footer:-8], levels)
    met = 0
    for place in range(footer, len(content) - 8):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        if lies_about_levels(bytes(damaged[footer:-8]), levels):
            [broken] = read_bytes("a.parquet", bytes(damaged))
            assert broken.reason == "corrupt"
            met += 1
    assert met > 0
