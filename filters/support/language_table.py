"""A table of languages: what is asked of a text in each, read from a TOML file with one table a language.

Ours; the numbers are those of FineWeb-2 (Penedo et al. 2025), whose point is that one set of thresholds does not fit two languages. A
table is data, so that a researcher can copy it, change a number or add a language, and name the copy in a recipe.

Invariant: the table is checked whole when it is read; an unknown key names its language and the nearest key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from curation.choices import build, read_toml
from curation.errors import RecipeError
from curation.storage.resources import resolve, resolve_at_most


@dataclass(frozen=True)
class LanguageEntry:
    """Thresholds and stop words of one language; a threshold's name says which signal it bounds.

    source             where the numbers come from
    stop_words         written as they stand in a text
    stop_words_within  whether they are looked for inside words too, for languages whose words or endings are not set apart
    left_out           rules (by their reason) that do not judge this language
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
        """Refuse a stop word that is empty, or has space about it: it could not stand where a word does."""
        wrong = [word for word in self.stop_words if not word or word != word.strip()]
        if wrong:
            raise ValueError(f"stop word {wrong[0]!r} is empty or has space about it")


_MOST_BYTES = 16 << 20
"""Most bytes of a table; that of 32 languages has some kB."""


def read_language_table(name: str) -> Mapping[str, LanguageEntry]:
    """Return label -> entry, by label; a file that has changed is read again.

    `name` is a local path, or `<package>:<file>`. Raises InputError where there is no such file, RecipeError for what is wrong in it.
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
