"""datatrove's C4QualityFilter over a table of texts. Run by the peer's Python, from `c4_parity.py`.

    PEER_PYTHON c4_peer.py FOLDER

FOLDER/options.json holds the filter's arguments, FOLDER/texts.parquet the texts, FOLDER/sentences.parquet how many sentences each line has:
where a sentence ends is not what is compared, so datatrove's splitter gives as many as were counted for that line. A line that is not in
the table ends the run. FOLDER/peer.parquet gets, for each text, the reason it is dropped for (null where it is kept) and its text
after one run of the filter, and the same after it was run until it changed nothing more. With `"split": true` among the options the file
gets instead how many sentences datatrove's own splitter finds in each line of sentences.parquet.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import c4_filters


def run(made: c4_filters.C4QualityFilter, text: str) -> tuple[str | None, str]:
    """Return (reason, text) of one run."""
    document = Document(text=text, id="")
    verdict = made.filter(document)
    return (None if verdict is True else verdict[1]), document.text


def until_stable(made: c4_filters.C4QualityFilter, reason: str | None, text: str) -> tuple[str | None, str]:
    """Return (reason, text) once another run changes nothing."""
    before = None
    while reason is None and text != before:
        before = text
        reason, text = run(made, text)
    return reason, text


def main() -> None:
    """Read, filter, write."""
    folder = Path(sys.argv[1])
    options = json.loads((folder / "options.json").read_text("utf-8"))
    lines = pq.read_table(folder / "sentences.parquet").to_pydict()
    if options.pop("split", False):
        counts = [len(c4_filters.split_into_sentences(line, "en")) for line in lines["line"]]
        pq.write_table(pa.table({"sentences": counts}), folder / "peer.parquet")
        return
    counted = dict(zip(lines["line"], lines["sentences"], strict=True))
    c4_filters.split_into_sentences = lambda line, language: [""] * counted[line]
    made = c4_filters.C4QualityFilter(**options)
    texts = pq.read_table(folder / "texts.parquet")["text"].to_pylist()
    once = [run(made, text) for text in texts]
    stable = [until_stable(made, *result) for result in once]
    columns = {"reason": [r for r, _ in once], "text": [t for _, t in once]}
    columns |= {"stable_reason": [r for r, _ in stable], "stable_text": [t for _, t in stable]}
    types = {name: pa.large_string() for name in columns}
    pq.write_table(pa.table({name: pa.array(values, types[name]) for name, values in columns.items()}), folder / "peer.parquet")


if __name__ == "__main__":
    main()
