"""One implementation signing texts that are in memory already. Run from `signatures.py`, on one core, by a Python that has it.

    PYTHON signature_child.py NAME TEXTS.arrow [--mb 20] [--repeat 3] [--library TWIN.so]

Every function takes a large_string array and returns what is timed: the texts are turned into what the implementation takes (an Arrow
array, Python strings) before. Where it takes shingles and not texts, making these in Python is part of its work, as it is for its users:
the quickest way known, one regular expression over the text in lower case. 112 values of word 5-grams, always. One round over a tenth of
a megabyte comes before, so that kernels are compiled and tokenizers loaded.

The last line printed is a JSON object: documents, megabytes, processor seconds of each repetition.
"""

import argparse
import ctypes
import json
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BANDS, ROWS, NGRAM = 14, 8, 5
PERMUTATIONS = BANDS * ROWS

Work = Callable[[], object]

_WORD = re.compile(r"\w+")


def shingles_of(text: str) -> set[str]:
    """Return the word 5-grams of a text in lower case, as strings; a shorter text is one."""
    words = _WORD.findall(text.lower())
    return {" ".join(words[at : at + NGRAM]) for at in range(max(1, len(words) - NGRAM + 1))}


def encoded_shingles_of(text: str) -> list[bytes]:
    """Return the word 5-grams of a text as UTF-8."""
    return [shingle.encode() for shingle in shingles_of(text)]


def curate(texts: Any) -> Work:
    """Our signatures, with the text hashes that come with them."""
    from curation.duplicates.minhash import PRESETS, signatures
    from curation.text.text import Text

    column = Text.from_arrow(texts)
    return lambda: signatures(column, PRESETS["14x8"])


def curate_shingles(texts: Any) -> Work:
    """Our shingles alone."""
    from curation.duplicates.shingles import shingle
    from curation.text.text import Text

    column = Text.from_arrow(texts)
    return lambda: shingle(column, NGRAM)


def twin(texts: Any, library: str, function: str = "sign_texts") -> Callable[[], Any]:
    """The same by hand, in C++; returns the signatures."""
    from datasketch import MinHash

    factors, terms = np.ascontiguousarray(MinHash(PERMUTATIONS, scheme="affine32").permutations, np.uint32)
    signed = np.empty((len(texts), PERMUTATIONS), np.uint32)
    arrays = [ctypes.c_void_p(array.ctypes.data) for array in (factors, terms, signed)]

    def work() -> Any:
        ctypes.CDLL(library)[function](*_text_of(texts), *arrays)
        return signed

    return work


def twin_shingles(texts: Any, library: str) -> Callable[[], int]:
    """The twin's shingles alone; returns how many there are."""
    count = ctypes.CDLL(library).shingle_texts
    count.restype = ctypes.c_int64
    return lambda: count(*_text_of(texts))


def daft(texts: Any) -> Work:
    """Daft's own normalisation and MinHash, over an Arrow array."""
    import daft
    from daft import col

    frame = daft.from_arrow(pa.table({"text": texts}))
    normal = col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=False, white_space=True)
    signed = normal.minhash(num_hashes=PERMUTATIONS, ngram_size=NGRAM, seed=1, hash_function="xxhash64")
    return lambda: frame.select(signed).collect()


def gaoya(texts: Any) -> Work:
    """gaoya's index, which signs what it is given: its signatures are not to be had without it."""
    from gaoya.minhash import MinHashStringIndex

    strings = texts.to_pylist()
    index = partial(MinHashStringIndex, hash_size=32, analyzer="word", lowercase=True, ngram_range=(NGRAM, NGRAM))
    return lambda: index(num_bands=BANDS, band_size=ROWS).par_bulk_insert_docs(list(range(len(strings))), strings)


def rensa(texts: Any) -> Work:
    """rensa's RMinHash of each document."""
    from rensa import RMinHash

    strings = texts.to_pylist()

    def work() -> None:
        for text in strings:
            signature = RMinHash(num_perm=PERMUTATIONS, seed=42)
            signature.update(list(shingles_of(text)))
            signature.digest()

    return work


def datasketch(texts: Any) -> Work:
    """datasketch 2 at its default scheme, its permutations made once, with a fast hash in place of SHA-1."""
    import xxhash
    from datasketch import MinHash

    strings = texts.to_pylist()
    permutations = MinHash(PERMUTATIONS, scheme="affine32").permutations

    def work() -> None:
        for text in strings:
            signature = MinHash(PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest, scheme="affine32", permutations=permutations)
            signature.update_batch(encoded_shingles_of(text))

    return work


def text_dedup(texts: Any) -> Work:
    """text-dedup's embed_func with its fast hash, other settings as its command line has them."""
    from text_dedup.minhash import RNG, embed_func
    from text_dedup.utils import xxh3_32hash

    strings = texts.to_pylist()
    prime = np.uint64((1 << 61) - 1)
    embed = partial(
        embed_func,
        num_perm=PERMUTATIONS,
        ngram_size=NGRAM,
        min_length=NGRAM,
        hashranges=[(band * ROWS, band * ROWS + ROWS) for band in range(BANDS)],
        permutations=tuple(RNG.randint(least, prime, size=PERMUTATIONS, dtype=np.uint64) for least in (1, 0)),
        hash_func=xxh3_32hash,
        dtype=np.uint64,
        max_hash=np.uint32((1 << 32) - 1),
        modulo_prime=prime,
    )
    return lambda: [embed(text, number) for number, text in enumerate(strings)]


def datatrove(texts: Any) -> Work:
    """datatrove's signature step at its defaults, without its reading and writing."""
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    strings = texts.to_pylist()
    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    step = MinhashDedupSignature(tempfile.mkdtemp(), config)

    def work() -> None:
        for text in strings:
            shingles = step.get_shingles(text)
            if shingles.size:
                step.get_signature(shingles)

    return work


IMPLEMENTATIONS = {
    made.__name__: made for made in (curate, curate_shingles, twin, twin_shingles, daft, gaoya, rensa, datasketch, text_dedup, datatrove)
}


def _text_of(texts: Any) -> tuple[ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]:
    """Return what the twin calls a run of texts: the address of its bytes, that of its bounds, and their number."""
    _, bounds, data = texts.buffers()
    return ctypes.c_void_p(data.address), ctypes.c_void_p(bounds.address + 8 * texts.offset), ctypes.c_int64(len(texts))


def read_texts(path: str | Path) -> Any:
    """Return the texts of an Arrow file of one batch, as they lie in it."""
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)["text"]


def megabytes_of(texts: Any) -> float:
    """Return the UTF-8 bytes of all texts, in 10^6."""
    return pc.sum(pc.binary_length(texts)).as_py() / 1e6


def first_megabytes(texts: Any, megabytes: float) -> Any:
    """Return the first texts that add up to so many MB, at least one."""
    within = pc.less_equal(pc.cumulative_sum(pc.binary_length(texts).cast(pa.int64())), int(megabytes * 1e6))
    return texts.slice(0, max(1, pc.sum(within).as_py()))


def main() -> None:
    """Measure one implementation as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=IMPLEMENTATIONS)
    parser.add_argument("texts")
    parser.add_argument("--mb", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--library", help="the compiled minhash_twin.cpp")
    asked = parser.parse_args()
    make = partial(IMPLEMENTATIONS[asked.name], **({"library": asked.library} if asked.library else {}))
    texts = first_megabytes(read_texts(asked.texts), asked.mb)
    make(first_megabytes(texts, 0.1))()
    work = make(texts)
    seconds = []
    for _ in range(asked.repeat):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    print(json.dumps({"documents": len(texts), "megabytes": megabytes_of(texts), "seconds": seconds}))


if __name__ == "__main__":
    main()
