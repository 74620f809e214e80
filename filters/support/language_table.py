"""A table of languages with the requirements for texts in each, read from a TOML file with one table per language.

The format is this project's; the numbers are those of FineWeb-2 (Penedo et al. 2025), which shows that every language needs its own
thresholds. A researcher can copy the table, change a number or add a language, and name the copy in a recipe.

Invariant: the whole table is checked when it is read; the error for an unknown key names the language and the nearest key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from curation.choices import build, read_toml
from curation.errors import RecipeError
from curation.storage.resources import resolve, resolve_at_most


@dataclass(frozen=True)
class LanguageEntry:
    """Thresholds and stop words of one language; a threshold is named after its signal.

    source             the origin of the numbers
    stop_words         stop words, as they are written in texts
    stop_words_within  whether to find them inside words too, for languages that do not separate words or endings
    left_out           rules (by their reason) that do not apply to this language
    """

    source: str
    stop_words: tuple[str, ...]
    min_language_score: float
    max_duplicate_line_share: float
    max_top_2_gram: float
    max_top_3_gram: float
    max_top_4_gram: float
    max_duplicate_5_gram: float
    max_duplicate_6_gram: float
    max_duplicate_7_gram: float
    max_duplicate_8_gram: float
    max_duplicate_9_gram: float
    max_duplicate_10_gram: float
    min_terminal_punctuation_ratio: float
    max_newline_ratio: float
    min_mean_word_length: float
    max_mean_word_length: float
    min_alphabetic_word_ratio: float
    stop_words_within: bool = False
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a stop word that is empty or has space around it, because no word could equal it."""
        wrong = [word for word in self.stop_words if not word or word != word.strip()]
        if wrong:
            raise ValueError(f"stop word {wrong[0]!r} is empty or has space about it")


_MOST_BYTES = 16 << 20
"""Most bytes of a table; that of 32 languages has some kB."""


def read_language_table(name: str) -> Mapping[str, LanguageEntry]:
    """Return label -> entry, sorted by label. A changed file is read again.

    `name` is a local path, or `<package>:<file>`. Raises InputError if there is no such file, and RecipeError if it has a fault.
    """
    state = resolve(name).stat()
    return _read(name, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(name: str, size: int, changed: int) -> Mapping[str, LanguageEntry]:  # noqa: ARG001  (part of the cache's key)
    place = resolve_at_most(name, _MOST_BYTES, "a table of languages")
    try:
        tables = read_toml(place.read_text("utf-8"), f"the table of languages {name}")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{name} is not a table of languages: {error}") from error
    for label, entry in tables.items():
        if not isinstance(entry, dict):
            raise RecipeError(f"{name}: {label} must be a table, written [{label}]")
    return {label: build(LanguageEntry, tables[label], f"{name}: [{label}]") for label in sorted(tables)}
