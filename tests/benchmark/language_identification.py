"""How often the filter `language` names the right language: by language and length, against two others, and on what is no plain text.

    python tests/benchmark/language_identification.py DATA

DATA is a Parquet file with `text`, `bcp47` and `name`, such as paragraphs of the Universal Declaration of Human Rights in many languages.
Labels are compared without script and country; Norwegian is one language, and so are Chinese in either script, Malay in Latin letters
(zlm) and Tosk Albanian (als) with the languages that they are standards of. A language that the model has no label for is left out, and
said. Macro accuracy is the mean over languages. Legal language is easier than the web: read the figures as an upper bound.

Compared are py3langid's own `classify`, whose model the filter uses, and resiliparse's `detect_fast`, each on what both it and the filter
have labels for. Each is timed on one core, after a first call, in processor time. Prints Markdown.
"""

import argparse
import base64
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from resiliparse.parse.lang import detect_fast, supported_langs

from curation.text.text import Text
from filters.language import Language

LENGTHS = (None, 200, 100, 50, 20)
"""Characters from the start of a paragraph; None is the whole."""
_SAME = {"nb": "no", "nn": "no", "als": "sq", "zlm": "ms", "wuu": "zh", "yue": "zh"}
_WORST = 12

Identifier = Callable[[Sequence[str]], list[str | None]]


class Paragraph(NamedTuple):
    """A text and the language it is in."""

    language: str
    text: str


def one_label(label: str | None) -> str | None:
    """Return the label as languages are counted here."""
    if label is None:
        return None
    primary = label.split("-")[0]
    return _SAME.get(primary, primary)


def read_paragraphs(path: Path) -> tuple[list[Paragraph], list[str]]:
    """Return the paragraphs in languages that the model has a label for, and the names of the other languages."""
    table = pl.read_parquet(path)
    known = {one_label(label) for label in LanguageIdentifier.from_model_file(MODEL_FILE).labels}
    labels = [one_label(label) or "" for label in table["bcp47"]]
    paragraphs = [Paragraph(label, text) for label, text in zip(labels, table["text"], strict=True) if label in known]
    return paragraphs, sorted({name for label, name in zip(labels, table["name"], strict=True) if label not in known})


def scored(texts: Sequence[str]) -> tuple[list[str | None], list[float | None]]:
    """Return the filter's label and score of each text."""
    signals = Language().signals(Text.from_strings(texts), None)
    return [one_label(label) for label in signals["language"].to_pylist()], signals["score"].to_pylist()


def by_filter(texts: Sequence[str]) -> list[str | None]:
    """Identify with the filter."""
    return scored(texts)[0]


def by_library() -> Identifier:
    """Identify with py3langid as it comes."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda texts: [one_label(identifier.classify(text)[0]) for text in texts]


def by_resiliparse(texts: Sequence[str]) -> list[str | None]:
    """Identify with resiliparse."""
    return [one_label(detect_fast(text)[0]) for text in texts]


def accuracies(paragraphs: Sequence[Paragraph], found: Sequence[str | None]) -> dict[str, float]:
    """Return the share of right labels of each language."""
    all_of = Counter(paragraph.language for paragraph in paragraphs)
    right = Counter(paragraph.language for paragraph, label in zip(paragraphs, found, strict=True) if label == paragraph.language)
    return {language: right[language] / count for language, count in sorted(all_of.items())}


def cut(paragraphs: Sequence[Paragraph], length: int | None) -> list[str]:
    """Return the beginnings of the paragraphs."""
    return [paragraph.text[:length] for paragraph in paragraphs]


def accuracy_table(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """Accuracy by length."""
    yield "| characters | accuracy | macro | languages at 1 | languages >= 0.95 | languages < 0.5 |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for length in LENGTHS:
        by_language = accuracies(paragraphs, found := by_filter(cut(paragraphs, length)))
        overall = sum(label == paragraph.language for paragraph, label in zip(paragraphs, found, strict=True)) / len(paragraphs)
        values = by_language.values()
        counts = f"{sum(v == 1 for v in values)} | {sum(v >= 0.95 for v in values)} | {sum(v < 0.5 for v in values)}"
        yield f"| {length or 'whole'} | {overall:.3f} | {sum(values) / len(values):.3f} | {counts} |"


def confusion_table(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """The worst languages, by their accuracy over all lengths, and what they were taken for."""
    mistaken: dict[str, Counter[str]] = {}
    columns: list[dict[str, float]] = []
    for length in LENGTHS:
        columns.append(accuracies(paragraphs, found := by_filter(cut(paragraphs, length))))
        for paragraph, label in zip(paragraphs, found, strict=True):
            if label != paragraph.language:
                mistaken.setdefault(paragraph.language, Counter())[label or "none"] += 1
    yield f"| language | {' | '.join(str(length or 'whole') for length in LENGTHS)} | taken for (times) |"
    yield f"|---|{'--:|' * len(LENGTHS)}---|"
    for language in sorted(mistaken, key=lambda language: sum(column[language] for column in columns))[:_WORST]:
        taken = ", ".join(f"{label} ({times})" for label, times in mistaken[language].most_common(4))
        yield f"| {language} | {' | '.join(f'{column[language]:.2f}' for column in columns)} | {taken} |"


def every_language_table(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """Accuracy of every language by length."""
    columns = [accuracies(paragraphs, by_filter(cut(paragraphs, length))) for length in LENGTHS]
    yield f"| language | paragraphs | {' | '.join(str(length or 'whole') for length in LENGTHS)} |"
    yield f"|---|--:|{'--:|' * len(LENGTHS)}"
    counts = Counter(paragraph.language for paragraph in paragraphs)
    for language in columns[0]:
        yield f"| {language} | {counts[language]} | {' | '.join(f'{column[language]:.2f}' for column in columns)} |"


def peer_table(paragraphs: Sequence[Paragraph]) -> Iterator[str]:
    """The filter, py3langid and resiliparse side by side."""
    shared = {one_label(label) for label in supported_langs()}
    common = [paragraph for paragraph in paragraphs if paragraph.language in shared]
    identifiers: dict[str, Identifier] = {
        "this filter": by_filter,
        "py3langid classify": by_library(),
        "resiliparse detect_fast": by_resiliparse,
    }
    languages = len({paragraph.language for paragraph in common})
    yield f"{len(common)} paragraphs in {languages} languages that all three have labels for; accuracy / macro."
    yield ""
    yield f"| | {' | '.join(str(length or 'whole') for length in LENGTHS)} | documents/s | MB/s |"
    yield f"|---|{'--:|' * len(LENGTHS)}--:|--:|"
    texts = cut(common, None)
    size = sum(len(text.encode()) for text in texts)
    for name, identify in identifiers.items():
        cells = []
        for length in LENGTHS:
            found = identify(cut(common, length))
            overall = sum(label == paragraph.language for paragraph, label in zip(common, found, strict=True)) / len(common)
            values = accuracies(common, found).values()
            cells.append(f"{overall:.3f} / {sum(values) / len(values):.3f}")
        seconds = min(_seconds(identify, texts) for _ in range(3))
        yield f"| {name} | {' | '.join(cells)} | {len(texts) / seconds:,.0f} | {size / seconds / 1e6:.1f} |"


def _seconds(identify: Identifier, texts: Sequence[str]) -> float:
    began = time.process_time()
    identify(texts)
    return time.process_time() - began


CODE = """def area(width, height):
    if width < 0 or height < 0:
        raise ValueError(f"negative: {width}, {height}")
    return width * height


for i in range(10):
    total[i] += weights[i] * np.dot(x[i, :], y[:, i])
print(json.dumps({"sum": sum(total), "n": len(total)}))
"""


def without_language() -> dict[str, str]:
    """Return texts in no language, by what they are."""
    chance = random.Random(1)
    return {
        "numbers": " ".join(str(chance.randrange(10**6)) for _ in range(150)),
        "table": "\n".join(" | ".join(f"{chance.uniform(0, 99):.2f}" for _ in range(6)) for _ in range(40)),
        "Python": CODE * 3,
        "JSON": str([{"id": i, "on": True, "xs": [i, i * i]} for i in range(40)]),
        "HTML": '<div class="a1"><span id="b2"><a href="/c/3">x</a></span></div>\n' * 15,
        "LaTeX": r"\frac{\partial u}{\partial t} = \alpha \nabla^2 u + \sum_{k=1}^{n} c_k e^{-\lambda_k t} " * 10,
        "base64": base64.b64encode(chance.randbytes(700)).decode(),
        "hexadecimal": chance.randbytes(400).hex(),
        "emoji": "🙂🎉🔥👍🌍 " * 40,
        "punctuation": "... --- *** === !!! ??? " * 20,
        "random letters": " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(100)),
        "URLs": " ".join(f"https://www.site{i}.com/p/{chance.randrange(10**8)}" for i in range(25)),
        "spaces": " \n\t " * 50,
    }


def mixtures(paragraphs: Sequence[Paragraph]) -> Iterator[tuple[str, str]]:
    """Make texts of two languages, and English with code or quotations: (what it is, text); DATA may lack any but English."""
    of: dict[str, str] = {}
    for paragraph in paragraphs:
        if len(of.get(paragraph.language, "")) < 600:
            of[paragraph.language] = (of.get(paragraph.language, "") + " " + paragraph.text).strip()
    english = of["en"][:600]
    for other in sorted(of.keys() & {"de", "fr", "es", "vi", "ru", "ar", "hi", "ja", "zh"}):
        half = of[other].encode()[: len(english)].decode("utf-8", "ignore")
        yield f"en, then {other} (as many bytes)", f"{english}\n{half}"
        yield f"{other}, then en", f"{half}\n{english}"
    for share in (25, 50, 75):
        code = (CODE * 9)[: round(600 * share / (100 - share))]
        yield f"en with {share} % Python", f"{english}\n\n{code}"
    for other in sorted(of.keys() & {"fr", "la", "de", "el", "zh"}):
        quoted = "\n".join(f"{english[i : i + 120]} “{of[other][i // 3 : i // 3 + 40]}”" for i in range(0, 600, 120))
        yield f"en with a quarter of quotations in {other}", quoted


def label_table(named: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Label and score of texts."""
    yield "| text | label | score | kept as English at 0.65 |"
    yield "|---|---|--:|---|"
    labels, scores = scored([text for _, text in named])
    for (name, _), label, score in zip(named, labels, scores, strict=True):
        kept = "yes" if label == "en" and (score or 0) >= 0.65 else "yes (null)" if label is None else "no"
        yield f"| {name} | {label} | {'' if score is None else f'{score:.3f}'} | {kept} |"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    paragraphs, unknown = read_paragraphs(parser.parse_args().data)
    languages = len({paragraph.language for paragraph in paragraphs})
    print(f"{len(paragraphs)} paragraphs in {languages} languages; no label: {', '.join(unknown) or 'none'}.\n")
    for title, lines in (
        ("Accuracy", accuracy_table(paragraphs)),
        ("Worst languages", confusion_table(paragraphs)),
        ("Side by side", peer_table(paragraphs)),
        ("Mixed text", label_table(list(mixtures(paragraphs)))),
        ("No language", label_table(list(without_language().items()))),
        ("Every language", every_language_table(paragraphs)),
    ):
        print(f"## {title}\n\n" + "\n".join(lines) + "\n", flush=True)


if __name__ == "__main__":
    main()
