"""FineWeb-2's rules: Gopher's and FineWeb's rules with thresholds and stop words for each language.

Source: Penedo et al. 2025, "FineWeb2: One Pipeline to Scale Them All", as its repository runs it (github.com/huggingface/fineweb-2,
fineweb-2-pipeline.py and configs/). Differences from English FineWeb: every language has its own thresholds; Gopher's rules on paragraphs
and on the characters of duplicated lines, FineWeb's rule on short lines, and C4's rules are off; duplicated lines may contain 0.1 of the
characters. A table (`fineweb2.toml`, with the source of each language) holds thresholds and stop words; `filters.support.language_table`
reads it.

    language, language_score        as `filters.language` finds them
    stop_words                      number of different stop words of the text's language; null in a language outside the table
    all others                      as `filters.gopher_repetition`, `filters.fineweb_quality` and `filters.gopher_quality` measure them

Differences from the original
    - The original takes language scores from GlotLID, this filter from another model; the thresholds are unchanged. The original's table
      has no English.
    - The original has one tokenizer per language (mostly spaCy), this filter uses `curation.text.words`. "l'eau" is two words in the
      original and one here, so words are slightly longer here in French, Italian and Catalan.
    - Chinese, Japanese and Thai have no spaces between words. The original finds words with a tokenizer; here each character is a word.
      Thresholds on word lengths and on n-grams of words do not apply to characters, so those rules and too_many_words are off for these
      languages. The other rules become more lenient: none drops a text that the original keeps.
    - The original splits Korean into stems and endings, this filter at spaces, so words are fewer and longer: long_words,
      few_alphabetic_words and mostly_newlines are off, and the minimum of 50 words requires more text than in the original.
    - Stop words of these four languages count anywhere in the text, also within words, which is a looser test.

As in the original, stop words are case-sensitive and have composed accents: normalise text to NFC first (`whitespace` with nfc).

Texts in a language without an entry are dropped because their thresholds are unknown; with `keep_uncovered` they are judged only by the
rules whose threshold is the same for all languages. The same holds for texts without a detected language; an empty text has too few words.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import JsonObject, Table
from curation.choices import Count, NonNegative, Positive, Share, nearest
from curation.errors import RecipeError
from curation.storage.digests import digest_of
from curation.text.text import Text
from filters.contract import Bounds, Filter, Rule, Signals, Threshold, above, below, not_among
from filters.fineweb_quality import FinewebQuality
from filters.gopher_quality import GopherQuality
from filters.gopher_repetition import GopherRepetition
from filters.language import check_labels, identify
from filters.support.language_table import LanguageEntry, read_language_table
from filters.support.stop_words import StopWordLists, count_stop_words

_OF_REPETITION = ("duplicate_line_share", *(f"top_{n}_gram" for n in range(2, 5)), *(f"duplicate_{n}_gram" for n in range(5, 11)))
_OF_LINES = ("terminal_punctuation_ratio", "duplicate_character_ratio", "newline_ratio")
_OF_QUALITY = (
    "words",
    "mean_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "bullet_line_ratio",
    "ellipsis_line_ratio",
    "alphabetic_word_ratio",
)
_NOT_THRESHOLDS = frozenset({"source", "stop_words", "stop_words_within"})


@dataclass(frozen=True)
class Fineweb2(Filter):
    """Drops what FineWeb-2 drops, with the thresholds of the text's language. The defaults below are the original's for all languages.

    table             the table of languages: a local TOML file, or `<package>:<file>`; copy the shipped one to change or add a language
    keep_uncovered    let texts in other languages pass the rules with a threshold per language; otherwise they are dropped
    sample_bytes      number of leading bytes of a text from which the language is detected
    max_duplicate_character_ratio  0.1
    min_words, max_words           50 and 100,000 words
    max_symbol_ratio               0.1, for "#" and for ellipses each
    max_bullet_line_ratio          0.9
    max_ellipsis_line_ratio        0.3
    min_stop_words                 2 different ones
    """

    table: str = "filters:fineweb2.toml"
    keep_uncovered: Threshold[bool] = False
    sample_bytes: Positive = 2048
    max_duplicate_character_ratio: Threshold[Share] = 0.1
    min_words: Threshold[Count] = 50
    max_words: Threshold[Count] = 100_000
    max_symbol_ratio: Threshold[NonNegative] = 0.1
    max_bullet_line_ratio: Threshold[Share] = 0.9
    max_ellipsis_line_ratio: Threshold[Share] = 0.3
    min_stop_words: Threshold[Count] = 2

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "language": pa.string(),
        "language_score": pa.float64(),
        **{name: GopherRepetition.signal_types[name] for name in _OF_REPETITION},
        **{name: FinewebQuality.signal_types[name] for name in _OF_LINES},
        **{name: GopherQuality.signal_types[name] for name in _OF_QUALITY},
        "stop_words": pa.int32(),
    }
    file_fields: ClassVar[frozenset[str]] = frozenset({"table"})
    packages: ClassVar[tuple[str, ...]] = ("py3langid",)
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (
        (
            "La marée est le lent mouvement de la mer, qui monte et descend deux fois par jour sous l'effet de la lune.\n"
            "Dans une baie étroite, l'eau arrive plus vite que sur une côte ouverte, et les pêcheurs connaissent l'heure du retour.\n"
            "Quand la lune et le soleil sont du même côté, les deux forces s'ajoutent, et la mer monte plus haut que les autres jours.",
            None,
        ),
        (
            "Der Regen fällt, wenn die Luft das Wasser nicht mehr halten kann und die Tropfen zu schwer werden. In den Bergen steigt die "
            "feuchte Luft auf, wird kalt und gibt das Wasser ab, darum ist die eine Seite grün und die andere trocken. Der Wind trägt den "
            "Rest über das Tal, und mit dem Abend wird es wieder klar.",
            None,
        ),
        (
            "雨は、空気が水を保てなくなったときに降ります。山では湿った空気が上がって冷え、水を手放します。だから山の片側は緑で、"
            "もう片側は乾いています。風は残りを谷の向こうへ運び、夕方にはまた晴れます。",
            None,
        ),
        ("Rain falls when the air can no longer hold the water it carries, and the drops grow too heavy to float.", "language_not_covered"),
        (
            "La lune attire la mer, et la mer monte. Une heure plus tard, le pêcheur rentre au port avec du poisson dans ses filets, "
            "pendant que les enfants jouent sur le sable.",
            "too_few_words",
        ),
        ("Accueil de la maison\n" * 3 + "Toutes les nouvelles du jardin et de la cuisine sont ici.", "duplicate_line_share"),
        (
            "Les fruits et les légumes de la ferme\nLe pain du boulanger et la farine du moulin\nLes œufs et le lait du village voisin\n"
            "Toutes les recettes de la semaine pour les enfants\nUn atelier de poterie dans la cour de l'école, avec le maître du four\n"
            "La carte des sentiers et les horaires du petit train de la vallée",
            "few_sentence_ends",
        ),
    )

    def __post_init__(self) -> None:
        """Reject a table of a language that is never found, or that disables an unknown rule."""
        check_labels(self.table, self.languages)
        for label, entry in self.languages.items():
            unknown = set(entry.left_out) - _BY_LANGUAGE.keys() - self._for_all().keys()
            if unknown:
                raise RecipeError(f"{self.table}: [{label}] leaves out {min(unknown)!r}{nearest(min(unknown), self.rules())}")

    @property
    def languages(self) -> Mapping[str, LanguageEntry]:
        """The table of languages. Raises InputError when it is missing, RecipeError for a mistake in it."""
        return read_language_table(self.table)

    def files(self) -> Mapping[str, str]:
        """Return the digest of the part of the table that signals depend on: each language's stop words."""
        return {"stop_words": digest_of({label: (entry.stop_words, entry.stop_words_within) for label, entry in self.languages.items()})}

    def parameters(self) -> JsonObject:
        """Return the fields and the thresholds of the table, but not its path."""
        thresholds = {
            label: {name: value for name, value in dataclasses.asdict(entry).items() if name not in _NOT_THRESHOLDS}
            for label, entry in self.languages.items()
        }
        return {**super().parameters(), "thresholds": thresholds}

    def measuring(self) -> JsonObject:
        """Return what the signals depend on: not the table's thresholds."""
        own = super().measuring()
        return {**own, "fields": {name: value for name, value in own["fields"].items() if name != "thresholds"}}

    def signals(self, text: Text, documents: Table) -> Signals:
        """Identify the language of each text, and measure a batch with the filters whose rules are tuned."""
        languages, scores = identify(text, self.sample_bytes)
        parts: JsonObject = {"language": languages, "language_score": scores}
        for made, names in ((GopherRepetition(), _OF_REPETITION), (FinewebQuality(), _OF_LINES), (GopherQuality(), _OF_QUALITY)):
            found = made.signals(text, documents)
            parts |= {name: found[name] for name in names}
        table = self.languages
        place = {label: number for number, label in enumerate(table)}
        list_of_text = np.array([place.get(label, -1) for label in languages.to_pylist()], np.int64)
        lists = StopWordLists.of([(entry.stop_words, entry.stop_words_within) for entry in table.values()])
        counts = count_stop_words(text, lists, list_of_text)
        return {**parts, "stop_words": pa.array(counts, pa.int32(), mask=list_of_text < 0)}

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules in the original's order: language, repetition, lines, words."""
        covered = {} if self.keep_uncovered else {"language_not_covered": not_among("language", list(self.languages), ("language_score",))}
        judged = {reason: compare(signal, self._bounds(field, reason)) for reason, (compare, signal, field) in _BY_LANGUAGE.items()}
        every = {**covered, **judged, **self._for_all()}
        return {reason: every[reason] for reason in _ORDER if reason in every}

    def _for_all(self) -> dict[str, Rule]:
        """Return the rules with one threshold for all languages; a language that disables a rule has no threshold."""
        bounds: dict[str, tuple[Callable[..., Rule], str, float]] = {
            "duplicate_lines": (above, "duplicate_character_ratio", self.max_duplicate_character_ratio),
            "too_few_words": (below, "words", self.min_words),
            "too_many_words": (above, "words", self.max_words),
            "many_hashes": (above, "hash_ratio", self.max_symbol_ratio),
            "many_ellipses": (above, "ellipsis_ratio", self.max_symbol_ratio),
            "mostly_bullets": (above, "bullet_line_ratio", self.max_bullet_line_ratio),
            "lines_end_in_ellipsis": (above, "ellipsis_line_ratio", self.max_ellipsis_line_ratio),
            "few_stop_words": (below, "stop_words", self.min_stop_words),
        }
        return {reason: compare(signal, self._but_where_left_out(bound, reason)) for reason, (compare, signal, bound) in bounds.items()}

    def _but_where_left_out(self, bound: float, reason: str) -> float | Bounds:
        without = [label for label, entry in self.languages.items() if reason in entry.left_out]
        return Bounds("language", dict.fromkeys(without), bound) if without else bound

    def _bounds(self, field: str, reason: str) -> Bounds:
        """Return the threshold of each language; a language without one, or with the rule disabled, has none."""
        known = {label: float(getattr(entry, field)) for label, entry in self.languages.items() if reason not in entry.left_out}
        return Bounds("language", known)


_BY_LANGUAGE: Mapping[str, tuple[Callable[..., Rule], str, str]] = {
    "low_language_score": (below, "language_score", "min_language_score"),
    **{signal: (above, signal, f"max_{signal}") for signal in _OF_REPETITION},
    "few_sentence_ends": (below, "terminal_punctuation_ratio", "min_terminal_punctuation_ratio"),
    "mostly_newlines": (above, "newline_ratio", "max_newline_ratio"),
    "short_words": (below, "mean_word_length", "min_mean_word_length"),
    "long_words": (above, "mean_word_length", "max_mean_word_length"),
    "few_alphabetic_words": (below, "alphabetic_word_ratio", "min_alphabetic_word_ratio"),
}
"""Reason -> how the signal is compared, the signal, and the field of LanguageEntry that holds the bound."""

_ORDER = (
    "language_not_covered",
    "low_language_score",
    *_OF_REPETITION,
    "few_sentence_ends",
    "duplicate_lines",
    "mostly_newlines",
    "too_few_words",
    "too_many_words",
    "short_words",
    "long_words",
    "many_hashes",
    "many_ellipses",
    "mostly_bullets",
    "lines_end_in_ellipsis",
    "few_alphabetic_words",
    "few_stop_words",
)
