"""Foreign formats are not valid inputs but are often given as such; a message names the format and says what to do.

They are recognised by their first bytes, before the file's name: a picture called page.html is a picture.
"""

import re

LOOKED_AT = 1024
"""Number of bytes from the start that decide."""

_EXTRACT = "extract its text first, and give that as JSON Lines"
_UNPACK = "unpack it, and give the files in it"
_LEAVE = "leave it out of the input"
_MAGIC: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name, remedy)
    for pattern, name, remedy in (
        (rb"\s{0,16}%PDF-", "a PDF document", _EXTRACT),
        (rb"PK\x03\x04.{26}mimetypeapplication/epub\+zip", "an EPUB book", _EXTRACT),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", "an OpenDocument file", _EXTRACT),
        (rb"PK\x03\x04.*?(?:\[Content_Types\]\.xml|word/|xl/|ppt/|docProps/)", "an Office document (docx, xlsx, pptx)", _EXTRACT),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive", _UNPACK),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (doc, xls, ppt)", _EXTRACT),
        (rb"\{\\rtf", "an RTF document", _EXTRACT),
        (rb"%!PS", "a PostScript document", _EXTRACT),
        (rb".{257}ustar[\x00 ]", "a tar archive", _UNPACK),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
        (rb"Rar!\x1a\x07", "a rar archive", _UNPACK),
        (rb"\x1f\x8b|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|BZh[1-9]1AY&SY", "compressed more than once", "decompress it once"),
        (rb"\x1f[\x9d\xa0]", "compressed by compress(1)", "decompress it with uncompress"),
        (
            rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\x00|MM\x00\*|BM.{4}\x00\x00\x00\x00|\x00\x00\x01\x00",
            "a picture",
            _LEAVE,
        ),
        (rb"ID3[\x02-\x04]|OggS\x00|fLaC|RIFF.{4}(?:WAVE|AVI )|.{4}ftyp|\x1aE\xdf\xa3", "sound or video", _LEAVE),
        (rb"SQLite format 3\x00", "an SQLite database", "export its rows as JSON Lines or Parquet"),
        (rb"ARROW1\x00\x00|\xff\xff\xff\xff.{2}\x00\x00", "an Arrow file", "write it as Parquet: pyarrow.parquet.write_table"),
        (rb"FEA1|ORC[^A-Za-z0-9 ]|Obj\x01|\x89HDF\r\n", "a Feather, ORC, Avro or HDF5 file", "write it as Parquet"),
        (rb"\x7fELF|\xca\xfe\xba\xbe|\xcf\xfa\xed\xfe", "a program", _LEAVE),
        (rb"(?:\xff\xfe\x00\x00|\x00\x00\xfe\xff)(?!\s*<)", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8"),
        (rb"(?:\xff\xfe(?!(?:\s\x00)*<\x00)|\xfe\xff(?!(?:\x00\s)*\x00<))", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8"),
        (
            rb"\{\x00(?:\s\x00)*[\"}]\x00|\x00\{(?:\x00\s)*\x00[\"}]",
            "UTF-16 text without a byte-order mark",
            "convert it: iconv -f UTF-16LE (or BE) -t UTF-8",
        ),
        (rb"(?:\xef\xbb\xbf)?\s*\[\s*(?:\{|\Z)", "a JSON array, not JSON Lines", "write an object a line: jq -c '.[]' FILE > FILE.jsonl"),
    )
)


def foreign(head: bytes) -> str:
    """Return what a file with this beginning is, and what to do; "" if it is none of these formats."""
    for pattern, name, remedy in _MAGIC:
        if pattern.match(head):
            return f"the file is {name}; {remedy}"
    return ""
