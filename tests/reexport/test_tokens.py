"""Files of tokens, read by readers that follow the formats' specifications: the same ids in every format, and packed sequences."""

import hashlib
import json
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from pipelines.reexport.formats.packed import packed, pieces_of
from pipelines.reexport.formats.tokens import type_of
from tests.meeting import meets, met
from tests.verbs import call

Documents = list[list[int]]


def export(run: Path, out: Path, *options: object) -> Path:
    said = call("export", run, "--out", out, "--shard-mib", 2, *options)
    assert said.code == 0, said.all
    assert call("verify", out).code == 0
    return out


def read_megatron(shard: Path) -> Documents:
    """Read an indexed dataset of Megatron-LM as its own reader does."""
    index = shard.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    kind = {8: np.uint16, 4: np.int32}[code]
    lengths = np.frombuffer(index, np.int32, sequences, 34)
    begins = np.frombuffer(index, np.int64, sequences, 34 + lengths.nbytes)
    ends = np.frombuffer(index, np.int64, documents, 34 + lengths.nbytes + begins.nbytes)
    assert len(index) == 34 + lengths.nbytes + begins.nbytes + ends.nbytes
    assert ends.tolist() == list(range(sequences + 1))
    content = shard.with_suffix(".bin").read_bytes()
    return [np.frombuffer(content, kind, size, begin).tolist() for size, begin in zip(lengths, begins.tolist(), strict=True)]


def read_ds(shard: Path) -> Documents:
    """Read the files of datatrove and nanotron: raw ids, and the ends of documents."""
    name, count, _ = shard.with_suffix(".ds.metadata").read_text().split("\n")
    width = int(name.partition("|")[2])
    ids = np.fromfile(shard.with_suffix(".ds"), {2: "<u2", 4: "<u4"}[width])
    ends = np.fromfile(shard.with_suffix(".ds.index"), "<u8").astype(np.int64).tolist()
    assert int(count) == len(ids) == ends[-1]
    return [ids[begin:end].tolist() for begin, end in pairwise([0, *ends])]


def read_memmap(shard: Path) -> Documents:
    kind = json.loads((shard.parent.parent / "manifest.json").read_text())["export"]["token_type"]
    ids = np.memmap(shard.with_suffix(".tokens.bin"), kind, "r")
    offsets = np.load(shard.with_suffix(".offsets.npy")).tolist()
    return [ids[begin:end].tolist() for begin, end in pairwise(offsets)]


READERS: dict[str, tuple[str, Callable[[Path], Documents]]] = {
    "megatron": (".bin", read_megatron),
    "ds": (".ds", read_ds),
    "memmap": (".tokens.bin", read_memmap),
}


def digest(documents: Documents) -> str:
    return hashlib.sha256(json.dumps(documents).encode()).hexdigest()


def test_every_format_has_the_same_tokens_in_the_same_shards(corpus_run: Path, tokenizer: Path, tmp_path: Path) -> None:
    options = ["--tokenizer", tokenizer, "--eos", "</s>", "--split", "validation=10%"]
    plain = export(corpus_run, tmp_path / "parquet", *options)
    made = Tokenizer.from_file(str(tokenizer))
    wanted: dict[str, str] = {}
    tokens: dict[str, int] = {}
    for file in sorted((plain / "data").glob("*.parquet")):
        rows = pl.read_parquet(file)
        ids = [[*one.ids, 2] for one in made.encode_batch(rows["text"].to_list(), add_special_tokens=False)]
        assert rows["token_count"].to_list() == [len(one) for one in ids]
        wanted[file.stem], tokens[file.stem] = digest(ids), sum(map(len, ids))
    assert len(wanted) == 4
    for name, (ending, read) in READERS.items():
        out = export(corpus_run, tmp_path / name, *options, "--format", name)
        names = [file.name.removesuffix(ending) for file in (out / "data").glob(f"*{ending}")]
        shards = {shard: read(out / "data" / shard) for shard in names}
        assert {shard: digest(documents) for shard, documents in shards.items()} == wanted
        entries = json.loads((out / "manifest.json").read_text())["shards"]
        assert {Path(entry["file"]).name.removesuffix(ending): entry["tokens"] for entry in entries} == tokens
        assert "token_type" in (out / "README.md").read_text()
        (out / "data" / f"other{ending}").write_bytes(b"")
        assert call("verify", out).code == 3


def test_packed_sequences_hold_every_token_once(corpus_run: Path, tokenizer: Path, tmp_path: Path) -> None:
    options = ["--tokenizer", tokenizer, "--eos", "</s>"]
    plain = export(corpus_run, tmp_path / "memmap", *options, "--format", "memmap")
    out = export(corpus_run, tmp_path / "packed", *options, "--format", "packed", "--sequence-length", 512)
    for file in sorted((out / "data").glob("*.parquet")):
        documents = read_memmap(plain / "data" / file.stem)
        rows = pl.read_parquet(file)
        ids, mask = (np.array(rows[name].to_list()) for name in ("input_ids", "document_mask"))
        assert ids.shape[1] == 512
        assert (mask > 0).sum(axis=1).tolist() == rows["tokens"].to_list()
        assert rows["tokens"].sum() == sum(map(len, documents))
        assert rows["tokens"].sum() / ids.size > 0.9
        found = sorted(row[own == number].tolist() for row, own in zip(ids, mask, strict=True) for number in range(1, own.max() + 1))
        assert found == sorted(document[at : at + 512] for document in documents for at in range(0, len(document), 512))


def test_the_template_of_the_tokenizer_is_used_unless_a_token_is_named(corpus_run: Path, tokenizer: Path, tmp_path: Path) -> None:
    counts = {}
    for name, options in {"template": [], "none": ["--bos", "none"], "both": ["--bos", "<s>", "--eos", "</s>"]}.items():
        out = export(corpus_run, tmp_path / name, "--tokenizer", tokenizer, "--format", "ds", *options)
        counts[name] = read_ds(sorted((out / "data").glob("*.ds"))[0].with_suffix(""))[0]
    assert counts["template"] == [1, *counts["none"]]
    assert counts["both"] == [1, *counts["none"], 2]
    said = call("export", corpus_run, "--out", tmp_path / "x", "--tokenizer", tokenizer, "--eos", "<end>")
    assert (said.code, "has no such token" in said.all) == (2, True)
    said = call("export", corpus_run, "--out", tmp_path / "x", "--format", "megatron")
    assert (said.code, "name a --tokenizer" in said.all) == (2, True)


def test_ids_are_as_wide_as_the_vocabulary_asks() -> None:
    assert [type_of("megatron", count) for count in (65_499, 65_500, 128_000)] == ["uint16", "int32", "int32"]
    assert [type_of("ds", count) for count in (65_536, 65_537)] == ["uint16", "uint32"]


@meets(cut=30, shared=21)
@given(lengths=st.lists(st.integers(0, 70), max_size=40), length=st.integers(2, 20))
def test_packing_cuts_only_what_is_too_long_and_fills_what_fits(lengths: list[int], length: int) -> None:
    begins, sizes = pieces_of(np.array(lengths, np.int64), length)
    assert sizes.sum() == sum(lengths)
    assert (sizes > 0).all()
    assert len(sizes) == sum(-(-size // length) for size in lengths)
    assert begins.tolist() == np.concatenate([[0], np.cumsum(sizes)])[:-1].tolist() if len(sizes) else True
    sequences = packed(sizes, length)
    assert sorted(piece for pieces in sequences for piece in pieces) == list(range(len(sizes)))
    room = [length - int(sizes[pieces].sum()) for pieces in sequences]
    assert all(left >= 0 for left in room)
    met["cut"] += any(size > length for size in lengths)
    met["shared"] += any(len(pieces) > 1 for pieces in sequences)
    assert sum(2 * left >= length for left in room) <= 1  # two sequences that are half empty would have become one
