"""Near-duplicates in one process: the pipeline's decisions, whatever the batches and the turns."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curation.in_memory.near_duplicates
from curation.duplicates.minhash import MinHashSettings
from curation.errors import InputError
from curation.in_memory.near_duplicates import Duplicates, find_duplicates, write_kept
from curation.in_memory.text_batches import ReadTexts, parquet_texts
from tests.deduplicating import cut, document, run
from tests.duplicates.test_deduplicate import noisy_corpus
from tests.meeting import meets, met
from tests.planted import jaccard

WORDS = [f"w{place}" for place in range(12)]
texts = st.lists(st.sampled_from(WORDS), max_size=24).map(" ".join)


def batches(strings: Sequence[str], size: int) -> list[ReadTexts]:
    return [lambda at=at: pa.array(strings[at : at + size], pa.large_string()) for at in range(0, len(strings), size)]


def told(found: Duplicates) -> list[tuple[int, str | None, float]]:
    return [(int(found.duplicate_of[row]), found.rule(row), float(found.similarities[row])) for row in range(len(found.rules))]


NEAR = st.tuples(st.integers(0, 1), st.sets(st.integers(0, 39), max_size=2)).map(
    lambda drawn: " ".join(f"w{drawn[0]}n{place}{'x' * (place in drawn[1])}" for place in range(40))
)
"""Texts of forty words near one of two, most of them alike enough to be dropped and many of them not."""


def test_a_dropped_text_is_really_like_the_kept_one() -> None:
    @meets(near_duplicate=21, exact=21, stays=21, compared=31)
    @given(st.lists(st.one_of(NEAR, NEAR, texts), min_size=2, max_size=12), st.integers(1, 5))
    def holds(strings: list[str], size: int) -> None:
        found = find_duplicates(batches(strings, size))
        assert told(found) == told(find_duplicates(batches(strings, 100)))
        for row, (of, rule, similarity) in enumerate(told(found)):
            met[rule or "stays"] += 1
            if rule is None:
                assert (of, similarity) == (-1, 1.0)
                continue
            assert found.duplicate_of[of] == -1
            assert (len(strings[of]), -of) > (len(strings[row]), -row)
            if rule == "near_duplicate":
                assert similarity == jaccard(strings[row], strings[of]) >= 0.75
        met["compared"] += int(found.compared)

    holds()


@meets(gone=100)
@given(st.lists(texts, min_size=1, max_size=8))
def test_equal_texts_are_kept_once(strings: list[str]) -> None:
    kept = find_duplicates(batches([*strings, *(text.upper() for text in strings)], 3)).duplicate_of < 0
    assert kept.sum() <= len(set(strings))
    assert not kept[len(strings) :].any() or "" in strings
    met["gone"] += int((~kept).sum())


@pytest.mark.parametrize("bytes_a_turn", [64 << 20, 4000])
def test_it_decides_as_the_pipeline_does(tmp_path, monkeypatch, bytes_a_turn) -> None:
    monkeypatch.setattr(curation.in_memory.near_duplicates, "SHINGLE_BYTES", bytes_a_turn)
    longer = [(row["id"], row["text"] + " !" * place * 40) for place, row in enumerate(noisy_corpus(5))]
    rows = [document(name, text) for name, text in longer]  # no two are equally long, so what stays does not hang on a key
    piped = run(tmp_path, cut(rows, 3))
    found = find_duplicates(batches([row["text"] for row in rows], 7))
    expected = []
    places = {row["id"]: place for place, row in enumerate(rows)}
    for row in rows:
        fate = piped[row["id"]]
        expected.append((places.get(fate["duplicate_of"], -1), fate["rule"], 1.0 if fate["rule"] is None else fate["similarity"]))
    assert told(found) == expected
    assert {rule for _, rule, _ in expected} == {None, "exact", "near_duplicate"}


def test_characters_that_stand_for_whole_words_have_room() -> None:
    """A fraction in one character of two bytes is three characters once it is folded, and these n-grams are nearly all distinct."""
    generator = np.random.default_rng(3)
    strings = ["".join(generator.choice(list("¼½¾"), 400)) for _ in range(20)]
    found = find_duplicates(batches([text + more for text in strings for more in ("½", "")], 3), MinHashSettings(30, unit="character"))
    assert (found.duplicate_of >= 0).tolist() == [False, True] * 20


def test_what_became_of_each_is_told_by_ids() -> None:
    strings = ["one two three four five six", "seven eight", "One, two three four five six!"]
    found = find_duplicates(batches(strings, 2))
    for ids in (["a", "b", "c"], pa.chunked_array([["a"], ["b", "c"]]), np.array(["a", "b", "c"])):
        assert found.table(ids).to_pylist() == [
            {"id": "a", "duplicate_of": "c", "rule": "exact", "similarity": 1.0},
            {"id": "b", "duplicate_of": None, "rule": None, "similarity": None},
            {"id": "c", "duplicate_of": None, "rule": None, "similarity": None},
        ]
    assert found.table(range(3))["duplicate_of"].to_pylist() == [2, None, None]
    with pytest.raises(ValueError, match="3 documents were compared, but there are 2 ids"):
        found.table(["a", "b"])


@meets(gone=40, kept=167)
@given(st.lists(st.lists(st.one_of(texts, NEAR), max_size=8), min_size=1, max_size=3), st.integers(1, 4))
def test_kept_rows_are_written_with_all_columns(files: list[list[str]], rows: int) -> None:
    schema = pa.schema([("text", pa.string()), ("place", pa.list_(pa.int64()))], {"made": "here"})
    with TemporaryDirectory() as folder:
        paths = [f"{folder}/{number}.parquet" for number in range(len(files))]
        for number, (path, strings) in enumerate(zip(paths, files, strict=True)):
            content = [{"text": text, "place": [number, place]} for place, text in enumerate(strings)]
            pq.write_table(pa.Table.from_pylist(content, schema), path, row_group_size=rows)
        found = find_duplicates(parquet_texts(paths))
        assert write_kept(paths, found, f"{folder}/kept.parquet") == (found.duplicate_of < 0).sum()
        met.update("kept" if of < 0 else "gone" for of in found.duplicate_of.tolist())
        whole = pa.concat_tables(pq.read_table(path) for path in paths)
        assert pq.read_table(f"{folder}/kept.parquet").equals(whole.filter(pa.array(found.duplicate_of < 0)), check_metadata=True)


def test_other_files_than_were_compared_are_refused(tmp_path) -> None:
    one, other, out = (tmp_path / f"{name}.parquet" for name in ("one", "other", "out"))
    pq.write_table(pa.table({"text": ["a", "b"]}), one)
    pq.write_table(pa.table({"text": ["a"], "more": [1]}), other)
    found = find_duplicates(parquet_texts([one, other]))
    with pytest.raises(InputError, match=r"other\.parquet does not have the columns of .*one\.parquet"):
        write_kept([one, other], found, out)
    with pytest.raises(InputError, match="there are 2 rows, but 3 texts were compared"):
        write_kept([one], found, out)
    assert not out.exists()


def test_parquet_is_read_by_row_groups(tmp_path) -> None:
    strings = [" ".join(np.random.default_rng(place % 5).choice(WORDS, 40)) for place in range(20)]
    pq.write_table(pa.table({"body": strings, "other": range(20)}), tmp_path / "a.parquet", row_group_size=6)
    reading = parquet_texts([tmp_path / "a.parquet"], "body")
    assert [len(read()) for read in reading] == [6, 6, 6, 2]
    assert (find_duplicates(reading).duplicate_of < 0).tolist() == [True] * 5 + [False] * 15
    assert told(find_duplicates([])) == []
