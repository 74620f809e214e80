"""Opening a file: recognise its format, and count its records before they are parsed.

Content decides the format if it is unmistakable (WARC, ARC, Parquet); otherwise the name decides (.jsonl, .html, ...; a final .gz, .zst,
.lz4, .bz2 or .xz is ignored), and otherwise the first character. Content always decides the compression.

An empty file, compressed or not, has no records. Compressed members before the first byte that can be read are one Broken, and what follows
decides the format. A file of unknown format is one record, Broken "unknown_format"; its message names the format if people often mistake it
for input, and says what to do (`curation.ingest.readers.foreign`).
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from curation.ingest.readers.arc import ArcReader
from curation.ingest.readers.contract import Reader
from curation.ingest.readers.decompression import Content
from curation.ingest.readers.foreign import LOOKED_AT, foreign
from curation.ingest.readers.html import PAGE_BEGINNING, HtmlReader
from curation.ingest.readers.jsonl import JsonlReader
from curation.ingest.readers.outcomes import Broken, Ignored, Outcome, Tally
from curation.ingest.readers.parquet import ParquetReader
from curation.ingest.readers.warc import WarcReader
from curation.storage.source_file import SourceFile

_COMPRESSION_ENDINGS = (".gz", ".zst", ".zstd", ".lz4", ".bz2", ".xz")
_MAGIC: tuple[tuple[bytes, type[Reader]], ...] = ((b"WARC/", WarcReader), (b"filedesc://", ArcReader), (b"PAR1", ParquetReader))
_NAMES: dict[str, type[Reader]] = {
    "warc": WarcReader,
    "wet": WarcReader,
    "wat": WarcReader,
    "arc": ArcReader,
    "jsonl": JsonlReader,
    "ndjson": JsonlReader,
    "parquet": ParquetReader,
    "html": HtmlReader,
    "htm": HtmlReader,
    "xhtml": HtmlReader,
}
_BEGINNINGS: tuple[tuple[re.Pattern[bytes], type[Reader]], ...] = (
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*\{"), JsonlReader),
    (PAGE_BEGINNING, HtmlReader),
)


def read_records(source: SourceFile, tally: Tally) -> Iterator[Outcome]:
    """Yield one outcome for every record of the file, in file order, counting it in `tally` before it is parsed.

    Raises OSError if the file itself cannot be opened or read any more; the file's content never raises.
    """
    with source.location.open_stream() as file:
        content = Content(file)
        unreadable = list(_before_content(content))
        known = foreign(content.peek(LOOKED_AT))
        reader = None if known else _reader_for(content, source)
        frames: Iterator[Any]
        if content.at_end():
            frames = iter(())
        elif reader is None:
            frames = iter([Broken(0, "unknown_format", known)]) if known else _unknown(content)
        else:
            frames = reader.frames(content, source)
        for frame in chain(unreadable, frames):
            tally.frames += 1
            outcome = frame if reader is None or isinstance(frame, Broken) else reader.parse(frame, source)
            if isinstance(outcome, Ignored):
                tally.ignored[outcome.kind] = tally.ignored.get(outcome.kind, 0) + 1
            if isinstance(outcome, Broken):
                tally.lost += outcome.records - 1
            yield outcome


def _before_content(content: Content) -> Iterator[Broken]:
    """Yield a Broken for damage before the first byte that can be read, such as a first member of which nothing can be decompressed."""
    while content.at_end() and content.damage is not None:
        yield from content.damaged()
        content.resume()


def _reader_for(content: Content, source: SourceFile) -> Reader | None:
    head = content.peek(LOOKED_AT)
    for magic, reader in _MAGIC:
        if head[:5].upper().startswith(magic) or head.startswith(magic):
            return reader()
    name = source.relative.lower()
    for ending in _COMPRESSION_ENDINGS:
        name = name.removesuffix(ending)
    by_name = _NAMES.get(name.rpartition(".")[2])
    if by_name is not None:
        return by_name()
    for beginning, reader in _BEGINNINGS:
        if beginning.match(head):
            return reader()
    return None


def _unknown(content: Content) -> Iterator[Broken]:
    yield Broken(
        0,
        "unknown_format",
        f"the file is neither WARC, ARC, JSONL, Parquet nor HTML; it begins with {content.peek(16)!r}. "
        "Leave it out of the input, or name it .jsonl, .html, ... if it is one of these",
    )
