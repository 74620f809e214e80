"""The real texts on which filters are compared, and texts made of Unicode's odd corners."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

ODD = [
    "one\rtwo\r\nthree\x0bfour\x0cfive\x1csix\x1dseven\x1eeight\x85nine\u2028ten\u2029eleven",
    "- a\r- b\u2028• c\x85• d\n-e",
    "…\u2028...\x0b… \n...  ",
    "１１ １.１ ２２ 1１ →→ ☃ ► ━ ∶ « » ™ © § ¶ † ‡ • ◦",
    "e\u0301 .\u0301 ..\u0301. \u0301\u0301 -\u0301- #\ufe0f\u20e3 👩\u200d🚀 \u200b\u200c\u200d",
    "漢字 かな カナ ไทย ខ្មែរ មន្ត ລາວ မြန်မာ 한국어 〇 々",
    "don't it’s 'tis rock'n'roll 1,024.5 1.2.3.4 5..6 7.,8 a.b c,d",
    "a bc ab c " * 40,
    "។ ៕ ៚ 𑽃 ۔ ؟ 。 ！ ？ ．\n។\n៕\n𑽃\n。\n！",
    "the The THE be to of and that have with\u00a0the\u2003of\u3000and",
    " \n \n\n\n \ta\n\n\n\nb\n \nb\n\n\n",
    "#" * 100,
    "." * 100 + "…" * 100,
    "-" * 1000 + "\n",
    "word " * 2000,
    "\u202ertl\u202c \ufeffbom \u00adshy\u00ad x\u2060y",
    "\x00\x01\x7f\x80\x9f\x00",
]


def real_texts(folder: Path) -> Iterator[str]:
    """Yield every text of the shared data, and the odd ones."""
    for path in sorted(folder.glob("*/*.parquet")):
        names = pq.read_schema(path).names
        for column in {"text", "gold_text"} & set(names):
            yield from (text for text in pq.read_table(path, columns=[column])[column].to_pylist() if text)
        if "lines" in names:
            yield from ("\n".join(lines) for lines in pq.read_table(path, columns=["lines"])["lines"].to_pylist() if lines)
    with gzip.open(folder / "spam" / "sms_spam.tsv.gz", "rt", encoding="utf-8") as stream:
        yield from (line.rstrip("\n").partition("\t")[2] for line in stream)
    yield from filter(None, json.loads((folder / "unicode" / "blns.json").read_text("utf-8")))
    yield from ODD
