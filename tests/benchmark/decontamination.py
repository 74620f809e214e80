"""How many copies of benchmark items the filter `benchmark_overlap` finds, as they are and changed, and how often it errs on clean text.

    python tests/benchmark/decontamination.py --benchmarks FILE... --hosts TEXTS [--clean TEXTS...] [--phi]

Every question of the benchmarks is planted once in each of the ways of `CHANGES` in the middle of a piece of a host text, which is a row of
a Parquet file with `text` that no rule flags. Rules are compared: how many words n in a row, of an item of w words, are a passage of it.
Recall is by change, by benchmark and by the number of words of the item; false alarms are rows of the host's and other clean files that are
flagged, each of which is listed with its passage. Speed is of looking up alone, in processor time on one core, words being found.

`--phi` adds the rule of Phi-1's and Cosmopedia's decontamination, as a plain loop: a shared 10-gram, and then more than half of the item's
words in blocks that a text shares with it in order (difflib).

Prints Markdown.
"""

import argparse
import html
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.text.ngram_index import Lengths, NgramIndex
from curation.text.text import Text
from filters.benchmark_overlap import BenchmarkOverlap
from filters.support.benchmark_items import BenchmarkItem, read_items

FIELDS = BenchmarkOverlap.fields
ANSWERS = ("answer", "solution")
OURS = Lengths(BenchmarkOverlap.ngram, BenchmarkOverlap.min_ngram, BenchmarkOverlap.min_percent, BenchmarkOverlap.min_words)
RULES: Mapping[str, Lengths] = {
    "13-grams (GPT-3)": Lengths(13, 13, 100, 13),
    "13, or a whole item of 8-12": Lengths(13, 8, 100, 8),
    "8-grams": Lengths(8, 8, 100, 8),
    "60 %, 8 to 13": Lengths(13, 8, 60, 8),
    "60 %, 6 to 13": Lengths(13, 6, 60, 6),
    "60 %, 5 to 13": Lengths(13, 5, 60, 5),
    "50 %, 8 to 13; 5-7 whole": Lengths(13, 8, 50, 5),
    "60 %, 8 to 13; 4-7 whole": Lengths(13, 8, 60, 4),
    "60 %, 8 to 13; 5-7 whole": Lengths(13, 8, 60, 5),
}
CLASSES = {"< 8": (0, 8), "8-12": (8, 13), "13-20": (13, 21), "21-49": (21, 50), ">= 50": (50, 10**9)}
"""Words of an item: from, and below."""
_HOST_CHARACTERS = 1200
_CORPUS_SHOWN = 60


def _every(text: str, period: int, first: int, change: Callable[[str], str]) -> str:
    """Change the words of numbers first, first + period, ... (from 0), and leave what is between words."""
    pieces = re.split(r"(\s+)", text)
    words = [place for place, piece in enumerate(pieces) if piece and not piece.isspace()]
    for place in words[first::period]:
        pieces[place] = change(pieces[place])
    return "".join(pieces)


def _bullets(text: str) -> str:
    words = text.split()
    return "\n".join(f"- {' '.join(words[place : place + 6])}" for place in range(0, len(words), 6))


def _truncated(text: str) -> str:
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    return text[: ends[-(-len(ends) * 60 // 100) - 1]]


def _typographic(text: str) -> str:
    quoted = re.sub(r'"([^"]*)"', r"“\1”", text).replace("'", "’").replace(" - ", " — ").replace("-", "‑")
    return quoted.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ").replace("...", "…")


def _punctuated(text: str) -> str:
    return (
        re.sub(r"[,;:](?=\s)", "", text)
        .replace(". ", " ; ")
        .replace('"', "&quot;")
        .replace("?", " ?!")
        .replace("(", "[ ")
        .replace(")", " ]")
    )


CHANGES: Mapping[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "upper case": str.upper,
    "lower case": str.lower,
    "title case": str.title,
    "line breaks": lambda text: re.sub(r"\s+", "\n", text),
    "double spaces": lambda text: re.sub(r"\s+", "  ", text),
    "tabs": lambda text: re.sub(r"\s+", "\t", text),
    "typography": _typographic,
    "punctuation": _punctuated,
    "entities": lambda text: html.escape(text),
    "bulleted lines": _bullets,
    "first 60 %": _truncated,
    "a word in 15 changed": lambda text: _every(text, 15, 7, lambda _: "zebra"),
    "a word in 20 dropped": lambda text: _every(text, 20, 10, lambda _: ""),
}


class Planted(NamedTuple):
    """A host text with an item in it; `words` are those of the item."""

    item: int
    change: str
    words: int
    text: str


class Questions(NamedTuple):
    """All items of the benchmarks, the numbers of those that are questions, and how many words each item has."""

    items: list[BenchmarkItem]
    planted: list[int]
    words: list[int]


def read_questions(paths: Sequence[Path]) -> Questions:
    """Read the items that the filter looks for, by default fields."""
    items = [item for path in paths for item in read_items(path, FIELDS)]
    is_question = [item.name.rsplit(" ", 1)[1] not in ANSWERS for item in items]
    return Questions(items, [i for i, asked in enumerate(is_question) if asked], [len(words) for words in folded_words(_texts(items))])


def _texts(items: Sequence[BenchmarkItem]) -> list[str]:
    return [item.text for item in items]


def folded_words(texts: Sequence[str]) -> list[list[int]]:
    """Return the hashes of each text's folded words, without symbols: what the index compares."""
    words = Text.from_strings(texts).words
    return [
        words.folded[begin:end][(words.kinds[begin:end] & 1) != 0].tolist()
        for begin, end in zip(words.offsets[:-1].tolist(), words.offsets[1:].tolist(), strict=True)
    ]


def hosts(texts: Sequence[str], indexes: Sequence[NgramIndex]) -> list[str]:
    """Return the beginnings of the texts that no rule flags, cut at a space."""
    pieces = [text[:_HOST_CHARACTERS].rsplit(" ", 1)[0] for text in texts]
    words = Text.from_strings(pieces).words
    flagged = np.any([index.longest_passages(words).words > 0 for index in indexes], axis=0)
    return [piece for piece, is_flagged in zip(pieces, flagged, strict=True) if not is_flagged]


def plant(questions: Questions, changes: Mapping[str, Callable[[str], str]], into: Sequence[str]) -> list[Planted]:
    """Plant every question in every way, each in the middle of the next host."""
    planted = []
    for item in questions.planted:
        for name, change in changes.items():
            host = into[len(planted) % len(into)]
            middle = host.find(" ", len(host) // 2)
            text = f"{host[:middle]}\n\n{change(questions.items[item].text)}\n\n{host[middle:].lstrip()}"
            planted.append(Planted(item, name, questions.words[item], text))
    return planted


def found(index: NgramIndex, planted: Sequence[Planted]) -> np.ndarray:
    """Return which of the planted texts are flagged."""
    return index.longest_passages(Text.from_strings([one.text for one in planted]).words).words > 0


def phi_finds(questions: Questions, texts: Sequence[str], size: int = 10, share: float = 0.5) -> np.ndarray:
    """Return which texts Phi-1's rule flags: they share `size` words in a row with an item, and in order more than `share` of its words."""
    items = folded_words(_texts(questions.items))
    holders: dict[tuple[int, ...], set[int]] = {}
    for number, words in enumerate(items):
        for place in range(len(words) - size + 1):
            holders.setdefault(tuple(words[place : place + size]), set()).add(number)
    flagged = np.zeros(len(texts), bool)
    for row, words in enumerate(folded_words(texts)):
        candidates = {number for place in range(len(words) - size + 1) for number in holders.get(tuple(words[place : place + size]), ())}
        flagged[row] = any(
            sum(block.size for block in SequenceMatcher(None, words, items[number], autojunk=False).get_matching_blocks())
            > share * len(items[number])
            for number in sorted(candidates)
        )
    return flagged


def recall_by_rule(planted: Sequence[Planted], hits: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Recall of each change under each rule."""
    yield f"| change | {' | '.join(hits)} |"
    yield f"|---|{'--:|' * len(hits)}"
    changes = np.array([one.change for one in planted])
    for change in dict.fromkeys(changes.tolist()):
        yield f"| {change} | {' | '.join(f'{hit[changes == change].mean():.3f}' for hit in hits.values())} |"
    yield f"| all | {' | '.join(f'{hit.mean():.3f}' for hit in hits.values())} |"


def recall_by_group(planted: Sequence[Planted], hit: np.ndarray, groups: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Recall of each change in each group, which is a label of each planted text."""
    changes, labels = np.array([one.change for one in planted]), np.array(groups)
    present = [name for name in names if (labels == name).any()]
    counts = [f"{name} ({(labels == name).sum() // len(set(changes.tolist()))})" for name in present]
    yield f"| change | {' | '.join(counts)} |"
    yield f"|---|{'--:|' * len(counts)}"
    for change in dict.fromkeys(changes.tolist()):
        cells = [f"{hit[(changes == change) & (labels == name)].mean():.3f}" for name in present]
        yield f"| {change} | {' | '.join(cells)} |"


def length_class(words: int) -> str:
    """Return the name of the class of an item of so many words."""
    return next(name for name, (least, below) in CLASSES.items() if least <= words < below)


def false_alarms(index: NgramIndex, questions: Questions, column: Text) -> list[str]:
    """Return a line for each text that is flagged: the item, its words, and the passage."""
    passages = index.longest_passages(column.words)
    lines = []
    for row in np.flatnonzero(passages.words).tolist():
        item = questions.items[passages.items[row]]
        passage = column.string(row).encode()[passages.starts[row] : passages.ends[row]].decode(errors="replace")
        shown = " ".join(passage.split())[:_CORPUS_SHOWN]
        lines.append(f"{item.benchmark} {item.name}, {passages.words[row]} of {questions.words[passages.items[row]]} words: {shown}")
    return lines


def speed(index: NgramIndex, column: Text) -> float:
    """Return MB/s of looking up a column whose words are found: the best of five."""
    column.words.folded  # noqa: B018  (found once and kept)
    index.longest_passages(column.words)
    seconds = []
    for _ in range(5):
        began = time.process_time()
        index.longest_passages(column.words)
        seconds.append(time.process_time() - began)
    return int(column.offsets[-1]) / min(seconds) / 1e6


def rule_table(
    indexes: Mapping[str, NgramIndex], questions: Questions, clean: Mapping[str, Text], hits: Mapping[str, np.ndarray]
) -> Iterator[str]:
    """What each rule finds, what it flags of clean text, and how fast it looks up."""
    yield f"| rule | recall | {' | '.join(f'flagged of {len(column)} {name}' for name, column in clean.items())} | MB/s |"
    yield f"|---|--:|{'--:|' * len(clean)}--:|"
    for name, index in indexes.items():
        counts = [str(len(false_alarms(index, questions, column))) for column in clean.values()]
        yield f"| {name} | {hits[name].mean():.3f} | {' | '.join(counts)} | {speed(index, next(iter(clean.values()))):.0f} |"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True)
    parser.add_argument("--hosts", type=Path, required=True, help="Parquet with text: clean, and what the items are planted in")
    parser.add_argument("--clean", type=Path, nargs="*", default=[], help="more Parquet files with clean text")
    parser.add_argument("--phi", action="store_true", help="also Phi-1's rule")
    asked = parser.parse_args()
    questions = read_questions(asked.benchmarks)
    indexes = {name: NgramIndex.of(_texts(questions.items), rule) for name, rule in RULES.items()}
    texts = {path.parent.name: pl.read_parquet(path)["text"].drop_nulls().to_list() for path in [asked.hosts, *asked.clean]}
    clean = {name: Text.from_strings(rows) for name, rows in texts.items()}
    into = hosts(next(iter(texts.values())), list(indexes.values()))
    planted = plant(questions, CHANGES, into)
    ours = next(name for name, rule in RULES.items() if rule == OURS)
    hits = {name: found(index, planted) for name, index in indexes.items()}
    print(
        f"{len(questions.planted)} questions, each planted in {len(CHANGES)} ways in {len(into)} clean texts. The filter's rule: {ours}.\n"
    )
    print("\n".join(rule_table(indexes, questions, clean, hits)), flush=True)
    if asked.phi:
        hits["Phi-1: 10-gram, then > 50 %"] = phi_finds(questions, [one.text for one in planted])
        flagged = [f"{phi_finds(questions, rows).sum()} of {len(rows)} {name}" for name, rows in texts.items()]
        print(f"\nPhi-1's rule flags {', '.join(flagged)}.")
    benchmarks = [questions.items[one.item].benchmark for one in planted]
    classes = [length_class(one.words) for one in planted]
    for title, lines in (
        ("Recall by rule", recall_by_rule(planted, hits)),
        ("Recall by benchmark", recall_by_group(planted, hits[ours], benchmarks, sorted(set(benchmarks)))),
        ("Recall by words of the item", recall_by_group(planted, hits[ours], classes, list(CLASSES))),
    ):
        print(f"\n## {title}\n\n" + "\n".join(lines), flush=True)
    print("\n## Clean text that is flagged\n")
    for rule, index in indexes.items():
        for name, column in clean.items():
            alarms = false_alarms(index, questions, column)
            print("\n".join(f"- {rule}, {name}: {line}" for line in alarms[: None if rule == ours else 12]) or f"- {rule}, {name}: none")


if __name__ == "__main__":
    main()
