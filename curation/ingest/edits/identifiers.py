"""Identifiers: check digits, issuers and address ranges that decide whether digits are an identifier, by their standards.

Sources: ISO/IEC 7812-1 (card numbers, the Luhn check), ISO 13616 (IBAN, with the lengths of its registry), ISO/IEC 7064 (mod 97-10),
RFC 6890 and RFC 4291 (special-purpose and global unicast addresses), RFC 2606 and 6762, and ICANN's resolution on .internal (reserved
names), the Public Suffix List in the copy of the package publicsuffixlist (top-level domains). Names below `.example` are reserved too, but
texts written for tests use them for people's own domains, so they are treated as real.

The other tables are written out instead of taken from the standard library, whose answers change with its version.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from publicsuffixlist import PublicSuffixList

_IBAN_REGISTRY = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 "
    "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 "
    "MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 "
    "SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_REGISTRY.split()}
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|62\d{14,17}"  # UnionPay
)
_SPECIAL_IPV4_BLOCKS = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 "
    "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
_SPECIAL_IPV4 = [IPv4Network(block) for block in _SPECIAL_IPV4_BLOCKS.split()]
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_SPECIAL_IPV6 = [IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_RESERVED_NAMES = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|test|invalid|localhost|localdomain|local|internal)\Z", re.IGNORECASE)


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit: with every second digit from the right doubled, the sum ends in 0."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def is_card_number(digits: str) -> bool:
    """Return whether the digits are a payment card number: a known issuer's prefix and length, and a correct check digit."""
    return bool(_ISSUERS.fullmatch(digits)) and len(set(digits)) > 1 and passes_luhn(digits)


def iban_length(country: str) -> int | None:
    """Return the length of the country's IBANs in characters; None if the country has none."""
    return _IBAN_LENGTHS.get(country)


def is_iban(characters: str) -> bool:
    """Return whether characters without blanks are an IBAN: its country's length, and a remainder of 1 modulo 97."""
    if len(characters) != iban_length(characters[:2]):
        return False
    return int("".join(str(int(c, 36)) for c in characters[4:] + characters[:4])) % 97 == 1


def is_public_address(address: str) -> bool:
    """Return whether a string is an IP address of the public internet: not private, reserved, or for documentation."""
    try:
        if ":" in address:
            v6 = IPv6Address(address)
            return v6 in _GLOBAL_IPV6 and not any(v6 in network for network in _SPECIAL_IPV6)
        v4 = IPv4Address(address)
    except ValueError:
        return False
    return not any(v4 in network for network in _SPECIAL_IPV4)


def is_reserved_name(domain: str) -> bool:
    """Return whether a domain is reserved for documentation, so that nobody can own it."""
    return bool(_RESERVED_NAMES.search(domain))


def is_top_level_domain(label: str) -> bool:
    """Return whether a domain can end in a label in a consistent case: `mT`, which no mail program shows, is an attribute, not Malta."""
    has_one_case = label.islower() or label.isupper() or label.istitle()
    return label.lower() == "example" or (has_one_case and _suffixes().publicsuffix(label.lower()) is not None)


@lru_cache(maxsize=1)
def _suffixes() -> Any:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
