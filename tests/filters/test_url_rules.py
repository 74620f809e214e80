"""URL rules: hosts and domains, the lists and what is wrong in them, and every count against a plain twin."""

import gzip
import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.text.text import Text
from filters.judge import judge
from filters.support.hosts import hosts_of, site_of
from filters.support.url_lists import entries, url_keys
from filters.url_rules import UrlRules
from tests.filters.test_filter_contract import CONFIGURED, LISTS
from tests.meeting import meets, met

RULES = UrlRules(**CONFIGURED["url_rules"])


def measured(made: UrlRules, *urls: str | None) -> list[dict[str, object]]:
    found = made.signals(Text.from_strings([""] * len(urls)), pa.table({"url": pa.array(urls, pa.string())}))
    return pa.table(dict(found)).to_pylist()


def rule_of(made: UrlRules, url: str) -> str | None:
    found = made.signals(Text.from_strings([""]), pa.table({"url": pa.array([url])}))
    table = pa.table({"key": pa.array([bytes(16)], pa.binary(16)), **{f"url_rules.{name}": column for name, column in found.items()}})
    (rule,) = judge(table, [made])["rule"].to_pylist()
    return rule and rule.removeprefix("url_rules.")


def host_of(url: str) -> str | None:
    return hosts_of(pl.Series([url], dtype=pl.String))[0]


@pytest.mark.parametrize(
    ("url", "host", "domain"),
    [
        ("http://www.plain.org/a", "www.plain.org", "plain.org"),
        ("HTTPS://WWW.Plain.ORG", "www.plain.org", "plain.org"),
        ("http://user:pass@plain.org:8080/a@b", "plain.org", "plain.org"),
        ("http://a@b@plain.org/", "plain.org", "plain.org"),
        ("//plain.org/path", "plain.org", "plain.org"),
        ("plain.org/path?x=//y", "plain.org", "plain.org"),
        ("plain.org?x", "plain.org", "plain.org"),
        ("plain.org#x", "plain.org", "plain.org"),
        ("  http://plain.org/ ", "plain.org", "plain.org"),
        ("http://plain.org./", "plain.org", "plain.org"),
        ("http://.a..plain.org../", "a.plain.org", "plain.org"),
        ("http://news.plain.co.uk/", "news.plain.co.uk", "plain.co.uk"),
        ("http://co.uk/", "co.uk", None),
        ("http://me.blogspot.com/", "me.blogspot.com", "blogspot.com"),
        ("http://www.city.kawasaki.jp/", "www.city.kawasaki.jp", "city.kawasaki.jp"),
        ("http://a.b.kawasaki.jp/", "a.b.kawasaki.jp", "a.b.kawasaki.jp"),
        ("http://münchen.de/", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("http://www.xn--mnchen-3ya.de/", "www.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("http://例え。テスト/", "xn--r8jz45g.xn--zckzah", None),
        ("http://💩.la/", "💩.la", "💩.la"),
        ("http://under_score.plain.org/", "under_score.plain.org", "plain.org"),
        ("http://192.0.2.1/", "192.0.2.1", None),
        ("http://192.0.2.1:80/", "192.0.2.1", None),
        ("http://300.0.2.1/", "300.0.2.1", None),
        ("http://[2001:DB8::1]:8080/x", "[2001:db8::1]", None),
        ("http://[2001:db8::1", "[2001", None),
        ("http://localhost:3000/", "localhost", None),
        ("http://plain.notasuffix/", "plain.notasuffix", None),
        ("http://pl%61in.org/", "pl%61in.org", "pl%61in.org"),
        ("mailto:me@plain.org", "plain.org", "plain.org"),
        ("urn:uuid:12", "urn", None),
        ("file:///etc/hosts", None, None),
        ("http://", None, None),
        ("http:///plain.org", None, None),
        ("...", None, None),
        ("?q", None, None),
        ("http://plain.org\\@other.org/", "other.org", "other.org"),
        ("http://pl ain.org/", "pl ain.org", "pl ain.org"),
        ("http://pla\nin.org/", "pla\nin.org", "pla\nin.org"),
    ],
)
def test_hosts_and_domains(url: str, host: str | None, domain: str | None) -> None:
    found = host_of(url)
    site = found if found is None else site_of(found)
    assert (site and site.host, site and site.domain) == (host, domain)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("url", "rule", "hit"),
    [
        ("http://example.com/", None, None),
        ("http://bad.example.com/", "listed_domain", "domain bad.example.com"),
        ("http://BAD.example.com./", "listed_domain", "domain bad.example.com"),
        ("http://deep.under.bad.example.com/", "listed_domain", "domain bad.example.com"),
        ("http://notbad.example.com/", None, None),
        ("http://www.worse.org/", "listed_domain", "domain worse.org"),
        ("http://worse.org.uk/", None, None),
        ("http://shouting.net:80/", "listed_domain", "domain shouting.net"),
        ("http://münze.de/", "listed_domain", "domain xn--mnze-0ra.de"),
        ("http://XN--MNZE-0RA.de/", "listed_domain", "domain xn--mnze-0ra.de"),
        ("http://198.51.100.7/x", "listed_domain", "domain 198.51.100.7"),
        ("http://1.198.51.100.7/x", None, None),
        ("https://plain.org/casino", "listed_url", "url"),
        ("http://www.plain.org:80/casino/#top", "listed_url", "url"),
        ("http://plain.org/Casino", None, None),
        ("http://plain.org/casino/x", None, None),
        ("http://plain.org/a?b=C", "listed_url", "url"),
        ("http://plain.org/a?b=c", None, None),
        ("http://ok.org/roulette", "hard_word", "hard roulette"),
        ("http://ok.org/x?Roulette_now", "hard_word", "hard roulette"),
        ("http://ok.org/roulettes", None, None),
        ("http://roulette/", "hard_word", "hard roulette"),
        ("http://ok.org/xrated", "hard_word", "hard xrated"),
        ("http://ok.org/x-rated", None, None),
        ("http://ok.org/%20roulette", None, None),
        ("http://ok.org/ürouletteü", "hard_word", "hard roulette"),
        ("http://ok.org/cam-bonus", "soft_words", "soft bonus cam"),
        ("http://ok.org/cam-cam", None, "soft cam"),
        ("http://ok.org/camera-escorted-bonus", None, "soft bonus"),
        ("http://ok.org/myfreecoinsnow", "strict_word", "strict freecoins"),
        ("http://ok.org/fr-e.e/c%öoins", "strict_word", "strict freecoins"),
        ("http://fre.ecoins.org/", "strict_word", "strict freecoins"),
        ("http://worse.org/roulette?freecoins+cam", "listed_domain", "domain worse.org; hard roulette; soft cam; strict freecoins"),
    ],
)
def test_rules_and_evidence(url: str, rule: str | None, hit: str | None) -> None:
    assert rule_of(RULES, url) == rule
    assert measured(RULES, url)[0]["hit"] == hit


def test_what_has_no_url_or_no_list_is_not_measured() -> None:
    assert measured(RULES, None, "") == [dict.fromkeys(UrlRules.signal_types)] * 2
    without = measured(UrlRules(), "http://www.worse.org/roulette")[0]
    assert without == {**dict.fromkeys(UrlRules.signal_types), "domain": "worse.org"}
    for kind in ("domains", "urls", "hard", "soft", "strict"):
        alone = measured(UrlRules(**{kind: CONFIGURED["url_rules"][kind]}), "http://plain.org/")[0]
        signal = {"domains": "domain_listed", "urls": "url_listed"}.get(kind, f"{kind}_hits")
        assert {name for name, value in alone.items() if value is not None} == {"domain", signal}


def test_a_threshold_of_soft_words() -> None:
    one_is_enough = UrlRules(soft=CONFIGURED["url_rules"]["soft"], min_soft_words=1)
    assert rule_of(one_is_enough, "http://ok.org/cam") == "soft_words"


# --- against a plain twin -----------------------------------------------------------------------------------------------------------------

WORDS = {kind: {re.sub("[^a-zA-Z0-9]", "", line).lower() for line in (LISTS / f"{kind}.txt").read_text().splitlines() if line[0] != "#"}
         for kind in ("hard", "soft", "strict")}  # fmt: skip
DOMAINS = {"bad.example.com", "worse.org", "shouting.net", "xn--mnze-0ra.de", "198.51.100.7"}

_HOSTS = st.sampled_from(
    ["bad.example.com", "a.bad.example.com", "example.com", "WORSE.org", "x.worse.org", "ok.co.uk", "198.51.100.7", "münze.de", "[::1]"]
)
_PARTS = st.sampled_from(
    [*"a/-_?=#ü", "%20", "roulette", "Roulette", "cam", "escort", "BONUS", "freecoins", "free", "coins", "slots", "x-rated", "xrated"]
)
URLS = st.builds(
    "{}{}{}/{}".format,
    st.sampled_from(["http://", "https://www.", "//", "", "HTTP://me@"]),
    _HOSTS,
    st.sampled_from(["", ":80", "."]),
    st.lists(st.one_of(_PARTS, st.text(max_size=2)), max_size=8).map("".join),
).map(lambda url: url.encode("utf-8", "replace").decode())


@meets(hard_hits=3, soft_hits=10, strict_hits=10, domain_listed=40)
@given(st.lists(URLS, min_size=1, max_size=6))
def test_counts_are_those_of_a_plain_twin(urls: list[str]) -> None:
    for url, found in zip(urls, measured(RULES, *urls), strict=True):
        parts = {part.lower() for part in re.split("[^a-zA-Z0-9]+", url)}
        run = re.sub("[^a-zA-Z0-9]", "", url).lower()
        host = re.sub(r"^[a-zA-Z]*:?//|/.*$", "", url, flags=re.DOTALL).split("@")[-1].lower()
        host = host if host.startswith("[") else host.split(":")[0].strip(".")
        host = host.replace("münze", "xn--mnze-0ra")
        met.update(name for name in ("hard_hits", "soft_hits", "strict_hits", "domain_listed") if found[name])
        assert found["hard_hits"] == len(parts & WORDS["hard"])
        assert found["soft_hits"] == len(parts & WORDS["soft"])
        assert found["strict_hits"] == sum(word in run for word in WORDS["strict"])
        assert found["domain_listed"] == any(host == known or (host.endswith(f".{known}") and known != "198.51.100.7") for known in DOMAINS)


@meets(apart=8)
@given(st.lists(st.one_of(st.text(), URLS), max_size=8), st.integers(0, 8))
def test_any_text_may_stand_for_a_url_and_the_batch_does_not_matter(urls: list[str], cut: int) -> None:
    urls = [url.encode("utf-8", "replace").decode() for url in urls]
    assert measured(RULES, *urls[:cut]) + measured(RULES, *urls[cut:]) == measured(RULES, *urls)
    met["apart"] += 0 < cut < len(urls)


# --- lists --------------------------------------------------------------------------------------------------------------------------------


def listing(folder: Path, content: bytes, name: str = "mine.txt") -> str:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def test_lists_may_be_compressed_and_their_order_does_not_matter(tmp_path: Path) -> None:
    plain = listing(tmp_path, b"\xef\xbb\xbfone.org\r\n# two.org\n\n three.org \nfour.org")
    packed = listing(tmp_path, b"four.org\nthree.org\none.org\none.org\n", "mine.gz")
    for path in (plain, packed):
        made = UrlRules(domains=(path,))
        assert [rule_of(made, f"http://{name}.org/") is not None for name in ("one", "two", "three", "four")] == [True, False, True, True]
    both = UrlRules(domains=(plain, packed))
    assert list(both.files()) == ["domains 0 mine.txt", "domains 1 mine.gz"]


def test_a_list_longer_than_a_block_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.support.url_lists._BLOCK_BYTES", 7)
    path = Path(listing(tmp_path, "a.org\n# no\nlonger-than-a-block.org\n\nü.org".encode()))
    frame = pl.concat(list(entries(path)))
    assert frame.rows() == [(1, "a.org"), (3, "longer-than-a-block.org"), (5, "ü.org")]


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("domains", b"good.org\nhttp://bad.org\n", "line 2: 'http://bad.org' is not a domain"),
        ("domains", b"good.org/path\n", "line 1: 'good.org/path' is not a domain"),
        ("domains", b"# x\n\n*.bad.org\n", "line 3: '*.bad.org' is not a domain"),
        ("domains", b"two words.org\n", "line 1: 'two words.org' is not a domain"),
        ("domains", b"good.org\n...\n", "line 2: '' is not a domain"),
        ("domains", b"good.org\nok.org\nb\xffd.org\n", "line 3: it is not UTF-8 text"),
        ("urls", b"good.org/x\nhttp://\n", "line 2: 'http://' is not a URL"),
        ("urls", b"good.org/x y\n", "line 1: 'good.org/x y' is not a URL"),
        ("urls", b"/only/a/path\n", "line 1: '/only/a/path' is not a URL"),
        ("hard", "word\nслово\n".encode(), "line 2: 'слово' holds no letter or digit of ASCII"),
        ("soft", b"--\n", "line 1: '--' holds no letter or digit of ASCII"),
        ("strict", b"a\n \n!\n", "line 3: '!' holds no letter or digit of ASCII"),
    ],
)
def test_what_is_no_entry_is_told_with_its_file_and_line(tmp_path: Path, kind: str, content: bytes, told: str) -> None:
    made = UrlRules(**{kind: (listing(tmp_path, content),)})
    for attempt in (made.files, lambda: measured(made, "http://plain.org/")):
        with pytest.raises(InputError) as raised:
            attempt()
        assert f"{tmp_path / 'mine.txt'}, {told}" in str(raised.value)


def test_a_list_that_is_missing_or_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file"):
        UrlRules(domains=("nowhere",)).files()
    path = tmp_path / "mine.gz"
    path.write_bytes(gzip.compress(b"good.org\n" * 1000)[:30])
    with pytest.raises(InputError, match=r"mine\.gz cannot be read"):
        UrlRules(domains=(str(path),)).files()
    path.write_bytes(b"good.org\n")
    with pytest.raises(InputError, match=r"mine\.gz cannot be read"):
        UrlRules(domains=(str(path),)).files()


def test_a_list_that_changes_is_read_again_and_changes_the_key(tmp_path: Path) -> None:
    made = UrlRules(domains=(listing(tmp_path, b"one.org\n"),))
    before = made.measuring()
    assert rule_of(made, "http://two.org/") is None
    listing(tmp_path, b"one.org\ntwo.org\n")
    assert made.measuring() != before
    assert rule_of(made, "http://two.org/") == "listed_domain"


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://www.Plain.org/a/", "plain.org/a"),
        ("https://me:pw@plain.org:443/a#b", "plain.org/a"),
        ("plain.org:8080/a", "plain.org:8080/a"),
        ("www2.plain.org", "plain.org"),
        ("http://plain.org/?q=http://x/", "plain.org/?q=http://x"),
        ("http://plain.org/A%20b", "plain.org/A%20b"),
    ],
)
def test_keys_of_urls(url: str, same: str) -> None:
    assert url_keys(pl.Series([url]))[0] == same
