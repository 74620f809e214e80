"""Single steps of the pipeline on plain strings: the signals of texts, the text of a page, and duplicates among texts.

The results equal those of a run on the same texts, by the same code. Nothing is written and no worker process starts.

    >>> import curation
    >>> curation.measure(["Hello there, world."], ["gopher_quality"])["gopher_quality.words"].to_list()
    [3]
    >>> curation.extract("<html><title>Sums</title><body><p>One and one is two.</p></body></html>").text
    'One and one is two.'
    >>> curation.deduplicate(["the same text", "another text", "The same text!"])["duplicate_of"].to_list()
    [2, None, None]
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, Table
from curation.choices import build
from curation.duplicates.deduplicate import DeduplicateSettings
from curation.errors import InputError, UsageError
from curation.in_memory.near_duplicates import find_duplicates
from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction import Extracted, extractor_named
from curation.ingest.readers.repair import Repairs, mended_string
from curation.schema import DOCUMENTS
from filters.contract import Filter, FilterChoice
from filters.measure import measure as measure_batch
from filters.measure import signals_schema

Texts = Iterable[str] | pl.Series
"""Texts: a list or any other iterable of strings, or a polars column of them."""

FilterLike = str | Mapping[str, Any] | Filter
"""A filter: its name, a Python file with one, a recipe's [[filter]] table, or the filter itself."""

_BATCH_BYTES = 16 << 20


def measure(texts: Texts, filters: FilterLike | Sequence[FilterLike], *, urls: Sequence[str | None] | None = None) -> pl.DataFrame:
    """Measure texts: return a row for each text in order, with a column `<filter>.<signal>` for each signal.

    A filter is a name, a Python file, the table of a recipe (`{"name": "educational_score", "model": "m.safetensors"}`), or an object.
    `urls` are for filters that read them. Raises TypeError if a text is not a string, and RecipeError for an unknown filter."""
    column = _as_column(texts)
    made = [_filter(given) for given in ([filters] if isinstance(filters, str | Mapping | Filter) else filters)]
    names = [each.name() for each in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"filter {twice} is given twice, and its signals can have their names once; measure apart")
    if urls is not None and len(urls) != len(column):
        raise ValueError(f"there are {len(column)} texts, but {len(urls)} urls")
    schema = signals_schema(made)
    documents = _documents(column, urls)
    tables = [measure_batch(part, [(each, False) for each in made], schema) for part in _batches(documents)]
    measured = pl.DataFrame(pa.concat_tables(tables) if tables else schema.empty_table())
    return measured.drop("key", "id")


def extract(html: str | bytes, extractor: str = "blocks", **parameters: Any) -> Extracted:
    """Return the main text of a page, with its title and the language that it declares.

    Bytes are decoded as in a run, by the page's declaration and its bytes. Raises RecipeError for an unknown extractor or parameter, and
    InputError for bytes that are not text.
    """
    if not isinstance(html, str | bytes):
        raise TypeError(f"a page is a string or bytes, not {type(html).__name__}")
    made = build(extractor_named(extractor), parameters, f"extractor {extractor}")
    if isinstance(html, str):
        return made.extract(mended_string(html, Repairs()))
    try:
        return made.extract(decode_text(html, None).text)
    except Undecodable as error:
        raise InputError(f"the page cannot be decoded: {error}") from error


def deduplicate(
    texts: Texts,
    *,
    threshold: float = 0.75,
    containment: float | None = None,
    ngram: int = 5,
    unit: Literal["word", "character"] = "word",
    preset: str = "14x8",
) -> pl.DataFrame:
    """Find duplicates among texts: return a row for each text in order.

    kept          whether the text stays; of several copies the longest stays, and of equally long ones the first
    duplicate_of  number of the text that stays instead
    rule          exact, near_duplicate or contained
    similarity    exact Jaccard similarity of the shingles of both

    The settings are those of a recipe's [deduplicate]. Raises TypeError if a text is not a string, and ValueError for an invalid setting.
    """
    settings = DeduplicateSettings(ngram=ngram, unit=unit, preset=preset, threshold=threshold, containment=containment)
    column = _as_column(texts)
    found = find_duplicates([lambda: column], settings.minhash, threshold, containment, settings.compared)
    table = pl.DataFrame(found.table(pa.array(np.arange(len(column)))))
    return table.select(pl.col("duplicate_of").is_null().alias("kept"), "duplicate_of", "rule", "similarity")


def _as_column(texts: Texts) -> Any:
    """Return texts as an Arrow array of strings. Raises TypeError or ValueError, with the first value that is not a string."""
    if isinstance(texts, str | bytes):
        raise TypeError("give a list of texts, not one text")
    strings = texts.to_list() if isinstance(texts, pl.Series) else list(texts)
    for place, text in enumerate(strings):
        if not isinstance(text, str):
            raise TypeError(f"text {place} is no string but {type(text).__name__}")
    try:
        return pa.array(strings, pa.large_string())
    except UnicodeEncodeError:
        place = next(place for place, text in enumerate(strings) if mended_string(text, Repairs()) != text.replace("\0", ""))
        raise ValueError(f"text {place} holds half of a surrogate pair, which no file of text can; replace it first") from None


def _filter(given: FilterLike) -> Filter:
    if isinstance(given, Filter):
        return given
    if isinstance(given, str):
        return FilterChoice(Path(given).stem, file=given).build() if given.endswith(".py") else FilterChoice(given).build()
    if not isinstance(given, Mapping):
        raise TypeError(f"a filter is a name, a file, a table or a filter, not {type(given).__name__}")
    table = dict(given)
    file = table.pop("file", None)
    name = table.pop("name", None) or (Path(file).stem if file is not None else None)
    if name is None:
        raise UsageError(f"a filter's table has a name or a file, and this one has neither: {given!r}")
    return FilterChoice(name, table, file).build()


def _documents(column: Column, urls: Sequence[str | None] | None) -> Any:
    """Return texts as a table of DOCUMENTS whose other columns are null."""
    unknown = {name: pa.nulls(len(column), DOCUMENTS.field(name).type) for name in DOCUMENTS.names}
    size = pc.binary_length(column).cast(pa.int64())
    known = {"text": column, "text_bytes": size, **({"url": pa.array(urls, pa.string())} if urls is not None else {})}
    return pa.table({**unknown, **known})


def _batches(documents: Table) -> Iterator[Any]:
    """Yield batches of rows with about as much text as a run measures at once."""
    ends = np.cumsum(documents["text_bytes"].to_numpy())
    cuts = [0, *(np.flatnonzero(np.diff(ends // _BATCH_BYTES)) + 1).tolist(), len(ends)]
    for begin, end in pairwise(cuts):
        if end > begin:
            yield documents.slice(begin, end - begin).combine_chunks()
