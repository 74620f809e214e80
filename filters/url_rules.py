"""URL rules: pages whose address alone marks them as adult content, spam or worse.

Source: Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", section 3.1 and appendix G.1, in the form of datatrove's URLFilter;
DCLM (Li et al. 2024) has the same rules. The recipe names the lists (see `filters.support.url_lists` for their form; RefinedWeb's domains
are those of the UT1 lists). A signal without a list is null, and its rule drops no document.

    domain         the registered domain of the URL's host (see `filters.support.hosts`)
    domain_listed  whether a list of domains holds the host, its registered domain, or a name between the two
    url_listed     whether a list of URLs holds the URL (see `url_keys`)
    hard_hits      number of different hard words that are words of the URL; one is enough
    soft_hits      number of different soft words that are words of the URL; two are enough
    strict_hits    number of different strict words that occur anywhere in the URL, even across its punctuation
    hit            the entries found, by list; null if none was found

The words of a URL are its runs of ASCII letters and digits in lower case, including its scheme and query. Nothing is decoded: "%20" puts 20
before the next word, and a letter of another script ends a word. For strict words, all other characters are removed: "b-a-d" holds "bad".

Differences from datatrove 0.10: in datatrove, case matters for hard and soft words, in the host, and in a listed URL; here it matters only
in the path of a listed URL. datatrove looks up the registered domain and the whole host, but no name between the two. It finds no domain
for an IP address or a host without a known suffix. It finds a listed URL only if all characters agree, including scheme and slash, so it
never finds the URLs of its own list, which have no scheme. DCLM's strict words ignore only "-" and ".". There is no other difference
(`tests/filters/test_url_parity.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from curation.arrays import Column, Hashes, Table
from curation.choices import Count
from curation.storage.resources import digest, resolve
from curation.text.text import Text
from filters.contract import Filter, Rule, Signals, Threshold, above
from filters.support.hosts import HOST_PACKAGES, Site, hosts_of, site_of
from filters.support.url_lists import among, bare_words, domain_hashes, hashed, url_hashes, url_keys, words

_LISTS = ("domains", "urls", "hard", "soft", "strict")
_HIT_CHARACTERS = 200


@dataclass(frozen=True)
class UrlRules(Filter):
    """Drops pages by their URL.

    domains         files of domains; each stands for all hosts under it
    urls            files of whole URLs
    hard            files of words; one of them drops the page
    soft            files of words; `min_soft_words` different ones drop the page
    strict          files of words; one of them drops the page even inside another word
    min_soft_words  2, as in datatrove and DCLM
    """

    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    min_soft_words: Threshold[Count] = 2

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "domain": pa.string(),
        "domain_listed": pa.bool_(),
        "url_listed": pa.bool_(),
        "hard_hits": pa.int32(),
        "soft_hits": pa.int32(),
        "strict_hits": pa.int32(),
        "hit": pa.string(),
    }
    file_fields: ClassVar[frozenset[str]] = frozenset(_LISTS)
    needs_files: ClassVar[bool] = True
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = HOST_PACKAGES
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (("A text is not judged where no list is named.", None),)

    def files(self) -> Mapping[str, str]:
        """Return the digest of each list under its kind and number. Raises InputError if a list is missing or cannot be read."""
        _read(self._digests())
        return {f"{kind} {number} {resolve(path).name}": found for kind, number, path, found in self._digests()}

    def _digests(self) -> tuple[tuple[str, int, str, str], ...]:
        return tuple((kind, number, path, digest(path)) for kind in _LISTS for number, path in enumerate(getattr(self, kind)))

    def signals(self, text: Text, documents: Table) -> Signals:
        """Measure a batch by its URLs; the text is not read."""
        lists = _read(self._digests())
        urls = pl.Series("url", documents["url"], pl.String).replace("", None)
        sites = [None if host is None else site_of(host) for host in hosts_of(urls).to_list()]
        domains = _listed_names(sites, lists.domains) if self.domains else [None] * len(text)
        listed = among(hashed(url_keys(urls)), lists.urls) if self.urls else np.zeros(len(text), bool)
        found = _words_in(urls, lists)
        hits = [""] * len(text)
        some = np.flatnonzero(listed | found.select(pl.any_horizontal(pl.all().list.len() > 0)).to_series().fill_null(False).to_numpy())
        for row in {*some.tolist(), *(row for row, name in enumerate(domains) if name)}:
            hits[row] = _told(domains[row], bool(listed[row]), found.row(row, named=True))
        present = urls.is_not_null()
        counts = {name: found[name].list.len().cast(pl.Int32) for name in found.columns}
        return {
            "domain": pa.array([site and site.domain for site in sites], pa.string()),
            "domain_listed": _where(bool(self.domains), present, pl.Series([bool(name) for name in domains], dtype=pl.Boolean)),
            "url_listed": _where(bool(self.urls), present, pl.Series(listed, dtype=pl.Boolean)),
            "hard_hits": _where(bool(self.hard), present, counts["hard"]),
            "soft_hits": _where(bool(self.soft), present, counts["soft"]),
            "strict_hits": _where(bool(self.strict), present, counts["strict"]),
            "hit": pa.array([hit[:_HIT_CHARACTERS] or None for hit in hits], pa.string()),
        }

    def rules(self) -> Mapping[str, Rule]:
        """Return the paper's rules in datatrove's order."""
        evidence = ("domain", "hit")
        enough = Rule(pl.col("soft_hits") >= self.min_soft_words, "soft_hits", float(self.min_soft_words), evidence)
        return {
            "listed_domain": Rule(pl.col("domain_listed"), "domain_listed", None, evidence),
            "listed_url": Rule(pl.col("url_listed"), "url_listed", None, evidence),
            "hard_word": above("hard_hits", 0, evidence),
            "soft_words": enough,
            "strict_word": above("strict_hits", 0, evidence),
        }


class _Lists(NamedTuple):
    domains: Hashes
    urls: Hashes
    hard: tuple[str, ...]
    soft: tuple[str, ...]
    strict: tuple[str, ...]


@lru_cache(maxsize=2)
def _read(files: tuple[tuple[str, int, str, str], ...]) -> _Lists:
    """Return the lists in the files (kind, number, path, digest). Each process reads them once."""
    paths = {kind: [path for owner, _, path, _ in files if owner == kind] for kind in _LISTS}
    return _Lists(
        domain_hashes(paths["domains"]), url_hashes(paths["urls"]), words(paths["hard"]), words(paths["soft"]), words(paths["strict"])
    )


def _words_in(urls: pl.Series, lists: _Lists) -> pl.DataFrame:
    """Return the columns `hard`, `soft` and `strict`: the words of each list that a URL contains, in order, each once."""
    spaced = bare_words(urls, " ")
    words_of = spaced.str.split(" ")
    joined = spaced.str.replace_all(" ", "", literal=True)
    strict = joined.str.extract_many(list(lists.strict), overlapping=True) if lists.strict else words_of.list.head(0)
    hard, soft = (words_of.list.set_intersection(pl.Series([known], dtype=pl.List(pl.String))) for known in (lists.hard, lists.soft))
    return pl.DataFrame({"hard": hard, "soft": soft, "strict": strict.list.unique()}).select(pl.all().list.sort())


def _listed_names(sites: Sequence[Site | None], known: Hashes) -> list[str | None]:
    """Return for each site the first of its names that is on a list: the host comes before the domains above it."""
    names = [(row, name) for row, site in enumerate(sites) if site is not None for name in site.names]
    listed: list[str | None] = [None] * len(sites)
    for place in np.flatnonzero(among(hashed(pl.Series([name for _, name in names], dtype=pl.String)), known))[::-1].tolist():
        row, name = names[place]
        listed[row] = name
    return listed


def _told(domain: str | None, listed: bool, found: Mapping[str, list[str] | None]) -> str:
    parts = [f"domain {domain}"] if domain else []
    parts += ["url"] if listed else []
    return "; ".join(parts + [f"{kind} {' '.join(hits)}" for kind, hits in found.items() if hits])


def _where(measured: bool, present: pl.Series, values: pl.Series) -> Column:
    """Return the values as an Arrow array: null in rows without a URL, and in all rows if there is no list."""
    return pl.select(pl.when(present & measured).then(values)).to_series().to_arrow()
