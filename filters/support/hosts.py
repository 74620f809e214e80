"""The host of a URL and its registered domain, found without a network.

Source of the suffixes: the Public Suffix List (Mozilla, 2007 and since), of which the package publicsuffixlist carries a dated copy. Only
its ICANN part is used, as tldextract does by default: a blog's host is `name.blogspot.com`, and the domain is `blogspot.com`.

    host     between the scheme and the path: without user, password and port; lower case; dots at its ends and double dots are removed;
             a name in another script as its A-labels (UTS 46), so that `münchen.de` and `xn--mnchen-3ya.de` are one host. A name that
             IDNA refuses stays as written. An IP address is a host, IPv6 in its brackets. A URL without a scheme begins with its host.
    domain   the label before the public suffix, and the suffix; none for an IP address, a bare suffix, and an unlisted suffix

A host of more than 253 characters, which DNS does not allow, stays as written and has no domain: looking up each of its names would take
time quadratic in its length. Nothing is decoded: browsers do not send a host with %-escapes, and no list holds one.

Invariant: both are functions of the URL and of the package's copy of the list, whose version is part of the key of every user.
"""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any, NamedTuple

import idna
import polars as pl
from publicsuffixlist import PublicSuffixList

SCHEME = r"^(?:[a-zA-Z0-9+.\-]+:)?//"
_LONGEST_HOST = 253
HOST_PACKAGES = ("polars", "publicsuffixlist", "idna")


class Site(NamedTuple):
    """A host, its registered domain (None if it has none), and the names that a list may use for it, the host first."""

    host: str
    domain: str | None
    names: tuple[str, ...]


def hosts_of(urls: pl.Series) -> pl.Series:
    """Return the host of each URL as written, except for case and stray dots; null if it has none. See `ascii_host`."""
    authority = urls.str.strip_chars().str.replace(SCHEME, "").str.extract(r"^([^/?#]*)").str.replace(r"(?s)^.*@", "")
    host = authority.str.extract(r"^(\[[^\]]*\]|[^:]*)").str.replace_all(r"[.。．｡]+", ".").str.strip_chars(" .")
    return host.str.to_lowercase().replace("", None)


def site_of(host: str) -> Site:
    """Return the site of a host from `hosts_of`."""
    return _site_of(host)


def ascii_host(host: str) -> str:
    """Return the form of a host in DNS, if IDNA has one."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:  # which idna's own errors are
        return host


@lru_cache(maxsize=1 << 16)
def _site_of(written: str) -> Site:
    if len(written) > _LONGEST_HOST:
        return Site(written, None, (written,))
    host = ascii_host(written)
    domain = None if _is_address(host) else _suffixes().privatesuffix(host)
    names = [host]
    while domain is not None and names[-1] != domain:
        names.append(names[-1].partition(".")[2])
    return Site(host, domain, tuple(names))


def _is_address(host: str) -> bool:
    if host.startswith("["):
        return True
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
