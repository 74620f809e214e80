"""One implementation removing near-duplicates: Parquet in, zstd Parquet out. Run from `near_dedup.py`, by a Python that has it.

    PYTHON near_dedup_child.py NAME OUT INPUT.parquet...

Every function but datatrove's takes the input files and says of every row, in their order, whether it stays; the rows that stay are then
read again and written in the same way for all. Text is read a row group at a time, and given on as soon as the implementation can take it.
112 values of word 5-grams in 14 bands of 8. The first of a cluster stays.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from signature_child import BANDS, NGRAM, PERMUTATIONS, ROWS, encoded_shingles_of, shingles_of

THRESHOLD = 0.75


def row_groups(files: Sequence[Path], columns: Sequence[str] | None) -> Iterator[Any]:
    """Yield some columns (None: all) of every row group of the files."""
    for path in files:
        with pq.ParquetFile(path) as file:
            for index in range(file.num_row_groups):
                yield file.read_row_group(index, columns=columns, use_threads=False)  # there is one core


def texts_of(files: Sequence[Path]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first row and the texts of every row group."""
    begin = 0
    for table in row_groups(files, ["text"]):
        yield begin, table["text"].to_pylist()
        begin += table.num_rows


def write(files: Sequence[Path], stays: Any, out: Path) -> None:
    """Write the rows that stay, of every input file one output file."""
    begin = 0
    for path in files:
        with pq.ParquetWriter(out / path.name, pq.read_schema(path), compression="zstd", use_dictionary=False) as writer:
            for table in row_groups([path], None):
                writer.write_table(table.filter(pa.array(stays[begin : begin + table.num_rows])))
                begin += table.num_rows


def curate_verified(files: Sequence[Path]) -> Any:
    """Ours in one process, with exact similarities, as `curation` offers it to Python."""
    from curation.in_memory.near_duplicates import find_duplicates
    from curation.in_memory.record_ranks import parquet_ranks
    from curation.in_memory.text_batches import parquet_texts

    return find_duplicates(parquet_texts(files), threshold=THRESHOLD, ranks=parquet_ranks(files)).duplicate_of < 0


def curate_unverified(files: Sequence[Path]) -> Any:
    """Our signatures and components, as `curation` offers them to Python: whoever shares a band is a duplicate, and chains are followed.

    No product: ours verifies.
    """
    from curation.duplicates.minhash import PRESETS, bucket_hashes, signatures
    from curation.duplicates.union_find import UnionFind
    from curation.text.text import Text

    settings = PRESETS["14x8"]
    tables = row_groups(files, ["text"])
    hashes = [bucket_hashes(signatures(Text.from_arrow(table["text"]), settings), settings) for table in tables]
    bands = np.concatenate(hashes, axis=1)
    forest, rows = UnionFind(bands.shape[1]), np.arange(bands.shape[1])
    for band in bands:
        forest.join_equal(band, rows)
    return forest.labels() == rows


def daft(files: Sequence[Path]) -> Any:
    """Daft's reading and signatures; buckets by sorting, components by SciPy, because Daft has neither but as a recipe of joins."""
    import daft
    from daft import col
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    normal = col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=False, white_space=True)
    signed = normal.minhash(num_hashes=PERMUTATIONS, ngram_size=NGRAM, seed=1, hash_function="xxhash64")
    found = daft.read_parquet([str(path) for path in files]).select(col("id"), signed.alias("signature")).to_arrow()
    signatures = np.concatenate([np.asarray(chunk.flatten(), np.uint64).reshape(-1, PERMUTATIONS) for chunk in found["signature"].chunks])
    ends = []
    for band in range(BANDS):
        hashes = np.full(len(signatures), band, np.uint64)
        for row in range(band * ROWS, band * ROWS + ROWS):
            hashes = (hashes ^ signatures[:, row]) * np.uint64(0x9E3779B97F4A7C15)
            hashes ^= hashes >> np.uint64(32)
        ends.append(_tied_to_first(hashes))
    left, right = map(np.concatenate, zip(*ends, strict=True))
    edges = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(len(signatures), len(signatures)))
    _, labels = connected_components(edges, directed=False)
    _, firsts = np.unique(labels, return_index=True)
    kept = found["id"].take(pa.array(firsts))
    return np.concatenate([pa.compute.is_in(table["id"], kept.combine_chunks()).to_numpy() for table in row_groups(files, ["id"])])


def gaoya(files: Sequence[Path]) -> Any:
    """gaoya's index: a document that it finds nothing for is inserted, and stays. It compares signatures before it answers."""
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=BANDS,
        band_size=ROWS,
        analyzer="word",
        lowercase=True,
        ngram_range=(NGRAM, NGRAM),
        id_container="smallvec",
    )
    stays = []
    for begin, texts in texts_of(files):
        for number, text in enumerate(texts, begin):
            stays.append(not index.query(text))
            if stays[-1]:
                index.insert_document(number, text)
    return np.array(stays)


def rensa(files: Sequence[Path]) -> Any:
    """rensa's own deduplicator, which compares signatures before it answers."""
    from rensa import RMinHashDeduplicator

    found = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True, num_bands=BANDS, seed=42)
    stays: list[bool] = []
    for begin, texts in texts_of(files):
        stays += found.add_pairs([(str(number), list(shingles_of(text))) for number, text in enumerate(texts, begin)])
    return np.array(stays)


def datasketch(files: Sequence[Path]) -> Any:
    """datasketch's MinHashLSH: a document that it finds nothing for is inserted, and stays."""
    import xxhash
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    permutations = MinHash(PERMUTATIONS, scheme="affine32").permutations
    stays = []
    for begin, texts in texts_of(files):
        for number, text in enumerate(texts, begin):
            signature = MinHash(PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest, scheme="affine32", permutations=permutations)
            signature.update_batch(encoded_shingles_of(text))
            stays.append(not index.query(signature))
            if stays[-1]:
                index.insert(number, signature, check_duplication=False)
    return np.array(stays)


def run_datatrove(files: Sequence[Path], out: Path) -> None:
    """datatrove's four steps at its defaults, one task a file, in this process."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    given, signatures, buckets, copies = (str(out / name) for name in ("given", "signatures", "buckets", "copies"))
    Path(given).mkdir()
    for path in files:
        (Path(given) / path.name).symlink_to(path)
    steps = [
        ("sign", len(files), [ParquetReader(given), MinhashDedupSignature(signatures, config)]),
        ("buckets", BANDS, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        ("cluster", 1, [MinhashDedupCluster(buckets, copies, config=config)]),
        ("write", len(files), [ParquetReader(given), MinhashDedupFilter(copies), ParquetWriter(str(out / "kept"), compression="zstd")]),
    ]
    for name, tasks, pipeline in steps:
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(out / "logs" / name)).run()


def _tied_to_first(hashes: Any) -> tuple[Any, Any]:
    """Return the edges that tie the rows of each hash to the first row that has it."""
    order = np.argsort(hashes, kind="stable")
    begins = np.concatenate([[True], np.diff(hashes[order]) != 0])
    firsts = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return firsts[~begins], order[~begins]


STREAMING = {each.__name__: each for each in (curate_verified, curate_unverified, daft, gaoya, rensa, datasketch)}


def main() -> None:
    """Run one implementation as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*STREAMING, "datatrove"])
    parser.add_argument("out", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True)
    if asked.name == "datatrove":
        run_datatrove(asked.inputs, asked.out)
    else:
        write(asked.inputs, STREAMING[asked.name](asked.inputs), asked.out)


if __name__ == "__main__":
    main()
