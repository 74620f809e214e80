"""URL rules against datatrove's own URLFilter, on the URLs of real pages and on hard ones made by hand.

datatrove lives in an environment of its own: set CURATION_PEER_PYTHON to its Python (datatrove 0.10, tldextract, pyahocorasick). It is
given the same Public Suffix List, so that what is compared are the rules. Every difference is one that `filters/url_rules.py` names:
`expected` tells by these what datatrove says, and must be right for every URL.
"""

import gzip
import json
import os
import re
import subprocess
import zlib
from importlib.resources import files
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.text.text import Text
from filters.support.hosts import hosts_of, site_of
from filters.url_rules import UrlRules

PEER = os.environ.get("CURATION_PEER_PYTHON")
KINDS = ("domains", "urls", "hard", "soft", "strict")
OWN_NAMES = {"domain": "domain", "subdomain": "domain", "url": "url", "hard_blacklisted": "hard", "soft_blacklisted": "soft"}

HARD_URLS = [
    "http://EXAMPLE.com/News",
    "http://deep.news.example.com:8080/index.html?ref=share#2020",
    "https://user:pw@www.example.co.uk/index/",
    "http://münchen.de/news?index=2020",
    "http://www.xn--mnchen-3ya.de/",
    "http://93.184.216.34/news",
    "http://[2606:2800:220:1::1]/index-2020",
    "http://example.com./a",
    "http://.example.com/a",
    "http://example..com/a",
    "http://localhost/news",
    "example.com/sh-are",
    "//cdn.example.com/s.h.a.r.e",
    "mailto:someone@example.com",
    "http://example.com/%6Eews/%20news",
    "http://example.com/новости-news",
    "http://example.com/inDEX/2020",
    "http://co.uk/",
    "http://",
    "http://ex ample.com/news",
    "http://example.com\\news",
    "http://example.com/K\u212aind",
    "www.example.com/casino/",
    "http://www.example.com/casino/",
]
MADE = {
    "domains": ["example.com", "www.example.co.uk", "xn--mnchen-3ya.de", "news.example.com", "93.184.216.34"],
    "urls": ["http://www.example.com/casino/", "https://github.com/"],
    "hard": ["news", "Login", "x-rated"],
    "soft": ["index", "html", "2020", "about", "blog", "php"],
    "strict": ["share", "pinterest", "feed"],
}


def real_urls(folder: Path) -> list[str]:
    """Return every URL in the tables, pages and archives of the real data, each once, in order."""
    found: set[str] = set()
    for table in ("html_gold/pages.parquet", "wcxb/train.parquet"):
        for batch in pq.ParquetFile(folder / table).iter_batches(64, columns=["url", "html"]):
            found.update(url for url in batch["url"].to_pylist() if url)
            for page in batch["html"].to_pylist():
                found.update(_urls_in(page if isinstance(page, bytes) else page.encode()))
    for path in sorted((folder / "warc").rglob("*.*")):
        content = path.read_bytes()
        try:
            content = gzip.decompress(content) if path.suffix == ".gz" else content
        except (OSError, EOFError, zlib.error):
            continue  # damaged on purpose
        found.update(_urls_in(content))
    return sorted(found)


def _urls_in(content: bytes) -> list[str]:
    matches = re.findall(rb"https?://[^\s\"'<>\\]{1,400}", content)
    return [match.decode("utf-8", "replace") for match in matches]


def theirs(urls: list[str], lists: Path, folder: Path) -> list[str]:
    """Return datatrove's reason for each URL, "" where it passes."""
    assert PEER is not None
    suffixes = str(files("publicsuffixlist") / "public_suffix_list.dat")
    own = {"TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS": suffixes, "TLDEXTRACT_CACHE": str(folder / "cache"), "PYTHONWARNINGS": "ignore"}
    script = Path(__file__).parents[1] / "parity" / "url_datatrove.py"
    environment = {**os.environ, **own}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([PEER, str(script), str(lists)], input=json.dumps(urls), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return list(json.loads(done.stdout))


def ours(urls: list[str], lists: Path) -> list[dict[str, object]]:
    made = UrlRules(**{kind: (str(lists / f"{kind}.txt"),) for kind in KINDS})
    found = made.signals(Text.from_strings([""] * len(urls)), pa.table({"url": pa.array(urls, pa.string())}))
    return list(pa.table(dict(found)).to_pylist())


def named(signals: dict[str, object]) -> str:
    """Return the kind of the rule that decides, "" where none does."""
    held = {
        "domain": signals["domain_listed"],
        "url": signals["url_listed"],
        "hard": signals["hard_hits"],
        "soft": signals["soft_hits"] >= 2,  # type: ignore[operator]
        "strict": signals["strict_hits"],
    }
    return next((kind for kind, holds in held.items() if holds), "")


def expected(url: str, written: str | None, lists: dict[str, set[str]], strict: re.Pattern[str]) -> str:
    """Return what datatrove says of a URL with this host, by the differences that the filter's docstring names."""
    site = None if written is None else site_of(written)
    host = re.sub(r"^(?:[a-zA-Z0-9+.\-]+:)?//", "", url)
    host = re.split("[/?#]", host)[0].split("@")[-1].partition(":")[0].strip().rstrip(".")
    parts = set(re.split("[^a-zA-Z0-9]+", url))
    if site and site.domain:
        registered = ".".join(host.split(".")[-len(site.domain.split(".")) :])
        if {registered, host} & lists["domains"]:
            return "domain"
    if url in lists["urls"]:
        return "url"
    if parts & lists["hard"]:
        return "hard"
    if len(parts & lists["soft"]) >= 2:
        return "soft"
    return "strict" if strict.search(re.sub("[^a-zA-Z0-9]", "", url).lower()) else ""


@pytest.mark.skipif(PEER is None, reason="CURATION_PEER_PYTHON names no Python with datatrove")
@pytest.mark.parametrize("lists", ["made", "datatrove's own"])
def test_the_rules_are_datatrove_s_but_for_the_differences_we_name(
    real_data: Path, tmp_path: Path, lists: str, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [*HARD_URLS, *real_urls(real_data)]
    folder = tmp_path / "lists"
    folder.mkdir()
    if lists == "made":
        for kind, entries in MADE.items():
            (folder / f"{kind}.txt").write_text("\n".join(entries), "utf-8")
    peer = [OWN_NAMES.get(reason, reason and "strict") for reason in theirs(urls, folder, tmp_path)]
    own = [named(signals) for signals in ours(urls, folder)]
    entries = {kind: set((folder / f"{kind}.txt").read_text("utf-8").split("\n")) for kind in KINDS}
    words = {kind: {re.sub("[^a-zA-Z0-9]", "", word).lower() for word in entries[kind]} for kind in ("hard", "soft", "strict")}
    differ = [(url, mine, other) for url, mine, other in zip(urls, own, peer, strict=True) if mine != other]
    with capsys.disabled():
        print(f"\n{len(urls)} URLs, lists {lists}: {sum(map(bool, peer))} dropped by datatrove, {len(differ)} told differently here")
        for mine, other in sorted({(mine, other) for _, mine, other in differ}):
            count = sum((mine, other) == pair[1:] for pair in differ)
            print(f"    here {mine or 'kept'}, there {other or 'kept'}: {count}")
    hosts = hosts_of(pl.Series(urls)).to_list()
    strict = re.compile("|".join(sorted(words["strict"])))
    told = [expected(url, host, {**entries, **words}, strict) for url, host in zip(urls, hosts, strict=True)]
    assert [(url, tale, other) for url, tale, other in zip(urls, told, peer, strict=True) if tale != other] == []
