"""Gopher quality, Gopher repetition and FineWeb against datatrove itself: every signal and every verdict, on the same tokens.

One difference is named: datatrove compares duplicated n-grams with their tokens run together. Where a duplicated n-gram differs, our
value must be what datatrove's formula gives once tokens are kept apart.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.text.text import Text
from filters.contract import Filter
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from tests.filters.test_heuristic_filters import measured, plain_gopher_repetition, verdicts
from tests.parity.peer import needs_peer, run_peer
from tests.parity.texts import ODD, real_texts

FILTERS: tuple[Filter, ...] = (GopherQuality(), GopherRepetition(), FinewebQuality())
REASONS = {
    "too_few_words": "gopher_short_doc",
    "too_many_words": "gopher_long_doc",
    "short_words": "gopher_below_avg_threshold",
    "long_words": "gopher_above_avg_threshold",
    "many_hashes": "gopher_too_many_hashes",
    "many_ellipses": "gopher_too_many_ellipsis",
    "mostly_bullets": "gopher_too_many_bullets",
    "lines_end_in_ellipsis": "gopher_too_many_end_ellipsis",
    "few_alphabetic_words": "gopher_below_alpha_threshold",
    "few_stop_words": "gopher_enough_stop_words",
    "duplicate_paragraph_share": "dup_para_frac",
    "duplicate_paragraph_characters": "dup_para_char_frac",
    "duplicate_line_share": "dup_line_frac",
    "duplicate_line_characters": "dup_line_char_frac",
    **{f"top_{n}_gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"duplicate_{n}_gram": f"duplicated_{n}_n_grams" for n in range(5, 11)},
    "few_sentence_ends": "line_punct_ratio",
    "mostly_short_lines": "short_line_ratio",
    "duplicate_lines": "char_dup_ratio",
    "mostly_newlines": "list_ratio",
}
NOTHING = ("empty", "undefined")
"""What datatrove says of a text without lines or words, which our rules drop too, each for a reason of its own (repetition keeps it)."""


def ask(texts: Sequence[str], folder: Path, *flags: str) -> tuple[list[dict[str, object]], dict[str, list[str | None]]]:
    """Return what the peer told of each text, and our verdicts under the peer's names."""
    words = Text.from_strings(texts).words
    columns: dict[str, object] = {"text": texts, "tokens": [words.strings(index) for index in range(len(texts))]}
    ours = {}
    for made in FILTERS:
        signals = measured(made, list(texts))
        ours[made.name()] = [reason and REASONS[reason] for reason in verdicts(made, signals)]
        columns |= {f"{made.name()}.{name}": signals[name].to_list() for name in signals.columns}
    pq.write_table(pa.table(columns), folder / "asked.parquet")
    run_peer("gopher_peer.py", folder / "asked.parquet", folder / "told.parquet", *flags)
    return pq.read_table(folder / "told.parquet").to_pylist(), ours


def compare(texts: Sequence[str], folder: Path) -> Counter[str]:
    """Assert that everything is equal but for the named difference; return how often that occurs, by signal."""
    told, ours = ask(texts, folder)
    named: Counter[str] = Counter()
    for index, (text, peer) in enumerate(zip(texts, told, strict=True)):
        run_together = [name for name in peer["differing"] if name.startswith("gopher_repetition.duplicate_") and name.endswith("_gram")]
        assert peer["differing"] == run_together, f"{peer['differing']} of {text[:200]!r}"
        if run_together:
            mine = measured(GopherRepetition(), [text]).row(0, named=True)
            assert mine == plain_gopher_repetition(text, Text.from_strings([text]).words.strings(0))
            named.update(run_together)
        for name, reasons in ours.items():
            if not run_together and peer[name] not in NOTHING:
                assert reasons[index] == peer[name], f"{name} of {text[:200]!r}"
    return named


@needs_peer
def test_odd_texts(tmp_path: Path) -> None:
    assert set(compare(ODD, tmp_path)) <= {f"gopher_repetition.duplicate_{n}_gram" for n in range(5, 11)}


@needs_peer
def test_a_sample_of_real_texts(real_data: Path, tmp_path: Path) -> None:
    compare(list(islice(real_texts(real_data), 0, None, 40)), tmp_path)


@needs_peer
@pytest.mark.full
def test_all_real_texts(real_data: Path, tmp_path: Path) -> None:
    texts = list(real_texts(real_data))
    named = compare(texts, tmp_path)
    print(f"{len(texts):,} texts; every signal and verdict equal but for n-grams that are equal only run together: {dict(named)}")


@needs_peer
@pytest.mark.full
def test_agreement_with_the_peer_s_own_words(real_data: Path, tmp_path: Path) -> None:
    """With spaCy's words on its side and ours on ours; prints how often verdicts agree, and what the rest is."""
    texts = list(real_texts(real_data))
    told, ours = ask(texts, tmp_path, "--spacy")
    for name, reasons in ours.items():
        pairs = Counter((mine, peer[name]) for mine, peer in zip(reasons, told, strict=True) if peer[name] not in NOTHING)
        same = sum(count for (mine, theirs), count in pairs.items() if mine == theirs)
        kept = sum(count for (mine, theirs), count in pairs.items() if (mine is None) == (theirs is None))
        print(f"{name}: {sum(pairs.values()):,} texts; same reason {same / pairs.total():.2%}, same verdict {kept / pairs.total():.2%}")
        for (mine, theirs), count in pairs.most_common():
            if mine != theirs:
                print(f"    {count:5}  ours: {mine or 'keep':32} theirs: {theirs or 'keep'}")
        assert kept / pairs.total() > 0.94
