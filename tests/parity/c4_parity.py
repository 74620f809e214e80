"""The edit `c4_lines` and the filter `c4_quality` against datatrove's C4QualityFilter itself, text by text.

    python -m tests.parity.c4_parity PEER_PYTHON FOLDER_OF_REAL_DATA

The peer's Python is one in which datatrove 0.10 is installed; it runs `c4_peer.py` as a child process. A verdict is kept or dropped; the
texts compared are those that both keep. A reason agrees if it is one of ours: a page may have two, and ours are told in another order.
"""

import argparse
import dataclasses
import gzip
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.ingest.edits.c4_lines import C4Lines
from curation.text.text import Text
from filters.c4_quality import C4Quality

READINGS: dict[str, tuple[C4Lines, C4Quality, dict[str, Any]]] = {
    "paper": (C4Lines(), C4Quality(), {}),
    "FineWeb": (C4Lines(require_end_mark=False), C4Quality(), {"filter_no_terminal_punct": False}),
    "tfds": (C4Lines(min_words=5), C4Quality(min_sentences=3), {"min_words_per_line": 5, "min_num_sentences": 3}),
}
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")


@dataclass(frozen=True)
class Parity:
    """How many texts there were, and for how many both agree: after one run of datatrove's filter, and run until nothing changes."""

    texts: int
    kept: int
    verdicts: int
    reasons: int
    same_texts: int
    stable_verdicts: int
    stable_texts: int
    differing: list[str]
    """Texts that differ once datatrove's filter has been run until nothing changes."""


def compared(texts: list[str], reading: str, peer: str) -> Parity:
    """Run both over the texts in one reading, and compare."""
    edit, page, options = READINGS[reading]
    edited = edit.apply(Text.from_strings(texts)).text
    reasons = _reasons(page, edited)
    theirs = _asked(peer, options, texts)
    kept = verdicts = same_reasons = same_texts = stable_verdicts = stable_texts = 0
    differing = []
    for row, (reason, their, text, stable, stable_text) in enumerate(zip(reasons, *theirs, strict=True)):
        kept += not reason
        verdicts += bool(reason) == bool(their)
        same_reasons += their in reason if their else not reason
        same_texts += not reason and not their and edited.string(row) == text
        stable_verdicts += bool(reason) == bool(stable)
        stable_texts += not reason and not stable and edited.string(row) == stable_text
        if bool(reason) != bool(stable) or (not reason and edited.string(row) != stable_text):
            differing.append(texts[row])
    return Parity(len(texts), kept, verdicts, same_reasons, same_texts, stable_verdicts, stable_texts, differing)


def _reasons(page: C4Quality, text: Text) -> list[set[str]]:
    """Return the rules that each text fails."""
    signals = pl.DataFrame({name: pl.Series(pa.array(column)) for name, column in page.signals(text, None).items()})
    failed = {reason: signals.select(rule.drops.fill_null(False)).to_series().to_list() for reason, rule in page.rules().items()}
    return [{reason for reason, fails in failed.items() if fails[row]} for row in range(len(text))]


def _asked(peer: str, options: dict[str, Any], texts: list[str]) -> list[list[Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), folder / "texts.parquet")
        lines = sorted({line for text in texts for line in lines_of(text)})
        _write_lines(folder, lines)
        (folder / "options.json").write_text(json.dumps(options), "utf-8")
        _run(peer, folder)
        table = pq.read_table(folder / "peer.parquet")
    return [table[column].to_pylist() for column in ("reason", "text", "stable_reason", "stable_text")]


def _write_lines(folder: Path, lines: list[str]) -> Any:
    counts = Text.from_strings(lines).sentences.counts
    pq.write_table(pa.table({"line": pa.array(lines, pa.large_string()), "sentences": counts}), folder / "sentences.parquet")
    return counts


def _run(peer: str, folder: Path) -> None:
    done = subprocess.run([peer, str(Path(__file__).with_name("c4_peer.py")), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{peer} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def lines_of(text: str) -> Iterator[str]:
    """Yield every line that the filter may count sentences of, in this run or in a later one."""
    for line in text.splitlines():
        clean, more = line.strip(), 1
        while more:
            clean, more = _CITATION.subn("", clean)
            yield clean
            clean = clean.strip()
            yield clean


def agreement(texts: list[str], peer: str) -> tuple[int, int, float]:
    """Return, of the lines that C4 keeps, how many there are, how many have as many sentences as datatrove finds, and our sum over its."""
    edited = C4Lines().apply(Text.from_strings(texts)).text
    lines = sorted({line for row in range(len(texts)) for line in edited.string(row).split("\n") if line})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = _write_lines(folder, lines)
        (folder / "options.json").write_text(json.dumps({"split": True}), "utf-8")
        _run(peer, folder)
        theirs = pq.read_table(folder / "peer.parquet")["sentences"].to_numpy()
    return len(lines), int(np.sum(ours == theirs)), float(ours.sum() / theirs.sum())


def real_texts(root: Path) -> dict[str, list[str]]:
    """Return every text of the folder of real data, by file."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.parquet")):
        columns = set(pq.read_schema(path).names) & {"text", "gold_text", "lines"}
        for column in sorted(columns):
            values = [value for value in pq.read_table(path, columns=[column])[column].to_pylist() if value]
            name = f"{path.relative_to(root).as_posix()} {column}"
            found[name] = ["\n".join(value) if isinstance(value, list) else value for value in values]
    for path in sorted(root.rglob("sms_spam.tsv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
            found[path.relative_to(root).as_posix()] = [line.partition("\t")[2] for line in stream]
    for path in sorted(root.rglob("blns.json")):
        strings = [text for text in json.loads(path.read_text("utf-8")) if not _has_surrogates(text)]
        found[path.relative_to(root).as_posix()] = [*strings, "\n".join(strings)]
    return found


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def main() -> None:
    """Print a row for each reading and file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("root", type=Path)
    asked = parser.parse_args()
    row = "{:<8} {:<46} {:>6} {:>6} | {:>8} {:>7} {:>6} | {:>8} {:>6}"
    print(row.format("", "", "", "", "once", "", "", "stable", ""))
    print(row.format("reading", "texts of", "texts", "kept", "verdicts", "reasons", "texts", "verdicts", "texts"))
    for reading in READINGS:
        for name, texts in real_texts(asked.root).items():
            found = compared(texts, reading, asked.peer)
            print(row.format(reading, name, *dataclasses.astuple(found)[:7]), flush=True)
    everything = [text for texts in real_texts(asked.root).values() for text in texts]
    lines, same, ratio = agreement(everything[:: max(1, len(everything) // 3000)], asked.peer)
    print(f"sentences of {lines} lines: as many in {same / lines:.1%}; ours {ratio:.3f} of datatrove's")


if __name__ == "__main__":
    main()
