"""datatrove's Gopher and FineWeb filters on given tokens: is each of our signals exactly theirs? Run by the peer's Python.

    PEER_PYTHON gopher_peer.py ASKED.parquet TOLD.parquet [--spacy]

ASKED has `text`, `tokens`, and our signals as `<filter>.<signal>`. datatrove keeps its values to itself and tells verdicts only, so each
value is asked for by two thresholds: a filter with that one rule alone must keep the text where the threshold is our value, and drop it
where the threshold is the next number towards it. TOLD has, for every text, the signals for which that fails, and the verdict of each
filter at its defaults. With --spacy, datatrove's own words are used, and only verdicts are told.
"""

import argparse
import math
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import (
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

QUALITY_OFF = dict.fromkeys(
    (
        "min_doc_words",
        "max_doc_words",
        "min_avg_word_length",
        "max_avg_word_length",
        "max_symbol_word_ratio",
        "max_bullet_lines_ratio",
        "max_ellipsis_lines_ratio",
        "max_non_alpha_words_ratio",
        "min_stop_words",
    )
)
REPETITION_OFF = dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")) | {
    "top_n_grams": (),
    "dup_n_grams": (),
}
FINEWEB_OFF = {"line_punct_thr": -1.0, "short_line_thr": 9.0, "char_duplicates_ratio": 9.0, "new_line_ratio": math.inf}


def quality(**on):
    return GopherQualityFilter(**{**QUALITY_OFF, **on})


def repetition(**on):
    return GopherRepetitionFilter(**{**REPETITION_OFF, **on})


def fineweb(**on):
    return FineWebQualityFilter(**{**FINEWEB_OFF, **on})


ASKING = {
    "gopher_quality.words": ("least", lambda at: quality(min_doc_words=at)),
    "gopher_quality.mean_word_length": ("least", lambda at: quality(min_avg_word_length=at)),
    "gopher_quality.bullet_line_ratio": ("most", lambda at: quality(max_bullet_lines_ratio=at)),
    "gopher_quality.ellipsis_line_ratio": ("most", lambda at: quality(max_ellipsis_lines_ratio=at)),
    "gopher_quality.alphabetic_word_ratio": ("least", lambda at: quality(max_non_alpha_words_ratio=at)),
    "gopher_quality.stop_words": ("least", lambda at: quality(min_stop_words=at)),
    "gopher_repetition.duplicate_paragraph_share": ("most", lambda at: repetition(dup_para_frac=at)),
    "gopher_repetition.duplicate_paragraph_characters": ("most", lambda at: repetition(dup_para_char_frac=at)),
    "gopher_repetition.duplicate_line_share": ("most", lambda at: repetition(dup_line_frac=at)),
    "gopher_repetition.duplicate_line_characters": ("most", lambda at: repetition(dup_line_char_frac=at)),
    **{f"gopher_repetition.top_{n}_gram": ("most", lambda at, n=n: repetition(top_n_grams=((n, at),))) for n in (2, 3, 4)},
    **{f"gopher_repetition.duplicate_{n}_gram": ("most", lambda at, n=n: repetition(dup_n_grams=((n, at),))) for n in range(5, 11)},
    "fineweb_quality.terminal_punctuation_ratio": ("least", lambda at: fineweb(line_punct_thr=at)),
    "fineweb_quality.short_line_ratio": ("most", lambda at: fineweb(short_line_thr=at)),
    "fineweb_quality.duplicate_character_ratio": ("most", lambda at: fineweb(char_duplicates_ratio=at)),
    "fineweb_quality.newline_ratio": ("most", lambda at: fineweb(new_line_ratio=at)),
}
SYMBOLS = ("gopher_quality.hash_ratio", "gopher_quality.ellipsis_ratio")
"""datatrove has one threshold for both, so their greater one is asked for."""
DEFAULTS = {
    "gopher_quality": GopherQualityFilter(),
    "gopher_repetition": GopherRepetitionFilter(),
    "fineweb_quality": FineWebQualityFilter(),
}
_TINY = 5e-324


def keeps(made, document):
    """Return whether a filter keeps a text; None where its arithmetic fails (no words, no lines)."""
    try:
        return made.filter(document) is True
    except ZeroDivisionError:
        return None


def is_exact(side, made_at, value, document):
    """Tell whether the peer's value is `value`. A threshold of 0 switches a rule off, so the least number above or below stands for it."""
    if side == "least":
        passes, fails = keeps(made_at(value or -_TINY), document), keeps(made_at(math.nextafter(value, math.inf)), document)
    else:
        passes, fails = keeps(made_at(value or _TINY), document), keeps(made_at(math.nextafter(value, -math.inf)), document)
    return passes is None or fails is None or (passes and not fails)


def has_no_value(name, row):
    """Tell whether the peer has no such value, and so no threshold: the mean of no words, the top of no n-grams, shares of no lines."""
    if name.startswith("fineweb_quality"):
        return not row["text"].strip()
    if name == "gopher_quality.mean_word_length":
        return row["gopher_quality.words"] == 0
    return any(name == f"gopher_repetition.top_{n}_gram" and len(row["tokens"]) < n for n in (2, 3, 4))


def use_tokens(tokens):
    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        module.split_into_words = lambda text, language: tokens


def verdict(made, document):
    try:
        told = made.filter(document)
    except ZeroDivisionError:
        return "undefined"
    return None if told is True else told[1]


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("asked")
    parser.add_argument("told")
    parser.add_argument("--spacy", action="store_true")
    asked = parser.parse_args()
    told = []
    for row in pq.read_table(asked.asked).to_pylist():
        document = Document(text=row["text"], id="")
        differing = []
        if not asked.spacy:
            use_tokens(row["tokens"])
            differing = [
                name
                for name, (side, made_at) in ASKING.items()
                if not (is_exact(side, made_at, row[name], document) or has_no_value(name, row))
            ]
            symbols = max(row[name] for name in SYMBOLS)
            if not is_exact("most", lambda at: quality(max_symbol_word_ratio=at), symbols, document):
                differing += SYMBOLS
        told.append({"differing": differing, **{name: verdict(made, document) for name, made in DEFAULTS.items()}})
    schema = pa.schema([("differing", pa.list_(pa.string())), *((name, pa.string()) for name in DEFAULTS)])
    pq.write_table(pa.Table.from_pylist(told, schema), asked.told)


if __name__ == "__main__":
    main()
