"""Personal data: e-mail addresses, public IP addresses, phone numbers, payment cards and IBANs become masks such as `<email>`.

Patterns find candidates, and `curation.ingest.edits.identifiers` checks them (Luhn, mod 97, address ranges). If a match could equally be
something else, it needs context: precision comes first, because textbooks are full of numbers. These are left alone by design:

    e-mail   reserved domains (example.com), endings that are no top-level domain (logo@2x.png, q@k.mT, root@localhost), packages with a
             version (react@18.2.0-next.dev), matrix products (y = W@x.name, see `products`), git@ of repositories, the user of a URL or
             a remote path (ftp://guest@host.org, host.org:/srv), quoted names ("a b"@host.org), words for signs ("at", "dot")
    IP       private, reserved and documentation addresses; versions and section numbers (v1.2.3.4, Chrome/91.0.72.1, or addresses in
             which fewer than two of the four numbers are 32 or above, unless "IP" or a similar word precedes)
    phone    bare digits: a number needs a country's + prefix, an area code in the North American or bracketed form, a label
             (Tel., Fax, Handy, ...) before it, or a leading 0 and a verb (call, ring, dial)
    card     digits within a longer number, a URL, an identifier or after a decimal point; ISBNs; unknown issuers
    IBAN     lengths that are not the country's, wrong check digits

The mask is a word in angle brackets: it reads as a placeholder, breaks no sentence, and no tokenizer or Markdown takes it for a real
address.

A kernel marks in one pass which documents may contain which kind; only these go through the patterns. `tests/benchmark/pii.py` measures
precision and recall by kind.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from curation.arrays import Bytes
from curation.errors import RecipeError
from curation.ingest.edits import Edit, Edited
from curation.ingest.edits.identifiers import iban_length, is_card_number, is_iban, is_public_address, is_reserved_name, is_top_level_domain
from curation.ingest.edits.products import is_product
from curation.text.column import Offsets, rewritten
from curation.text.kernels import kernel
from curation.text.text import Text

PII_KINDS = ("email", "iban", "card", "ip", "phone")
"""All kinds, in the order in which they are masked: stricter checks first."""

_EMAIL_BIT, _IBAN_BIT, _CARD_BIT, _IP_BIT, _PHONE_BIT = (1 << i for i in range(5))
_OTHER, _DIGIT, _SEPARATOR, _AT, _COLON, _CAPITAL, _PLUS = range(7)


def _byte_classes() -> Bytes:
    classes = np.zeros(256, np.uint8)
    for characters, name in (("0123456789", _DIGIT), (" -./()\xa0", _SEPARATOR), ("@", _AT), (":", _COLON), ("+", _PLUS)):
        for byte in characters.encode():
            classes[byte] = name
    classes[ord("A") : ord("Z") + 1] = _CAPITAL
    return classes


_CLASSES = _byte_classes()


@kernel
def _suspects(data: Bytes, offsets: Offsets, found: Bytes) -> None:
    """Mark for each document the kinds that it may contain; everything that a pattern below can match is marked.

    `digits` counts digits since the last byte that cannot be inside a number; `quad` counts consecutive dots between digits.
    """
    for document in range(len(offsets) - 1):
        digits, quad = 0, 0
        signed = False
        begin, end = offsets[document], offsets[document + 1]
        for i in range(begin, end):
            kind = _CLASSES[data[i]]
            if kind == _DIGIT:
                digits += 1
                if digits == 9 or (digits == 8 and signed):
                    found[document] |= _PHONE_BIT
                elif digits == 13:
                    found[document] |= _CARD_BIT
                continue
            if kind == _SEPARATOR:
                quad = quad + 1 if data[i] == 0x2E and i > begin and _CLASSES[data[i - 1]] == _DIGIT else 0
                if quad == 3:
                    found[document] |= _IP_BIT
                continue
            quad = 0
            digits = 0
            signed = kind == _PLUS
            if kind == _AT:
                found[document] |= _EMAIL_BIT
            elif kind == _COLON:
                if i >= begin + 4 and data[i - 4] in (0x32, 0x33):
                    found[document] |= _IP_BIT
            elif kind == _CAPITAL and i + 3 < end and _CLASSES[data[i + 3]] == _DIGIT and _CLASSES[data[i + 2]] == _DIGIT:
                found[document] |= _IBAN_BIT


_Check = Callable[[re.Match[str]], int]
"""Returns how many characters from the start of a match are personal data; 0 if the match is something else."""

_LETTER = "A-Za-zÀ-ÖØ-öø-ɏͰ-ӿ"
"""Latin, Greek and Cyrillic: scripts with spaces between words, so that an address does not run into the word before it."""
_EMAIL = re.compile(
    rf"(?<![{_LETTER}0-9._%+-])(?P<local>[{_LETTER}0-9][{_LETTER}0-9._%+-]{{0,63}}+(?:['’][{_LETTER}0-9._%+-]{{1,40}}+)?)@"
    rf"(?P<domain>(?:[{_LETTER}0-9](?:[{_LETTER}0-9-]{{0,61}}[{_LETTER}0-9])?\.){{1,8}}(?P<top>[Xx][Nn]--[A-Za-z0-9]{{2,40}}|[{_LETTER}]{{2,24}}))"
    rf"(?![{_LETTER}0-9(]|[.-][{_LETTER}0-9]|:[/~:])"
)
_FILE_ENDINGS = frozenset({"zip", "mov", "data"})
"""Valid top-level domains that, after an @, more often end the name of a file or of an attribute."""
_SCRIPT_ENDINGS = frozenset({"py", "sh", "md"})
"""Countries whose addresses have a second-level domain (`com.py`); directly after one name these end a file name."""
_VERSION = re.compile(r"v?\d+\.\d", re.IGNORECASE)
_USER_OF_URL_BEFORE = re.compile(r"://[^\s/@<>]{0,64}\Z")


def _email(match: re.Match[str]) -> int:
    domain = _whole_domain(match["domain"])
    is_other = (
        match["local"] == "git"
        or not domain
        or domain.rpartition(".")[2].lower() in _FILE_ENDINGS
        or (domain.count(".") == 1 and domain.rpartition(".")[2] in _SCRIPT_ENDINGS)
        or is_reserved_name(domain)
        or _VERSION.match(domain)
        or is_product(match)
    )
    size = len(match["local"]) + 1 + len(domain)
    return 0 if is_other or _USER_OF_URL_BEFORE.search(match.string, max(0, match.start() - 68), match.start()) else size


def _whole_domain(written: str) -> str:
    """Return a domain through its top-level domain, "" if it has none; a word after it begins a sentence ("ann@mail.org.She left")."""
    rest, _, top = written.rpartition(".")
    if is_top_level_domain(top):
        return written
    return rest if top.istitle() and "." in rest and is_top_level_domain(rest.rpartition(".")[2]) else ""


_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:[ \u00a0]?[A-Z0-9]){11,30}", re.ASCII)


def _iban(match: re.Match[str]) -> int:
    places = [place for place, character in enumerate(match[0]) if character.isalnum()]
    length = iban_length(match[0][:2])
    if length is None or len(places) < length:
        return 0
    size = places[length - 1] + 1
    follows = match.string[match.start() + size :][:1]
    return size if is_iban("".join(match[0][:size].split())) and not follows.isalnum() else 0


_CARD = re.compile(
    r"(?<![\w.,/=&#+-])(?<!\d[ \u00a0])"
    r"(?:\d{13,19}|\d{4}(?P<by4>[ \u00a0-])\d{4}(?P=by4)\d{4}(?P=by4)\d{1,7}|\d{4}(?P<by6>[ \u00a0-])\d{6}(?P=by6)\d{4,5})"
    r"(?![\w/=&-]|[ \u00a0.,]\d)",
    re.ASCII,
)


def _card(match: re.Match[str]) -> int:
    return len(match[0]) if is_card_number(re.sub(r"\D", "", match[0])) else 0


_IP = re.compile(
    r"(?<![\w.-])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)|(?<!:)[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:]))",
    re.ASCII,
)
_VERSION_BEFORE = re.compile(
    r"(?:\b(?:v|ver|versions?|releases?|build|firmware|rev|revision|sections?|sec|chapter|clause|article|rule|table|figure|fig|theorem|oid"
    r"|update|upgraded? to)[.:= ]*|§ ?|[A-Za-z][/_-])\Z",
    re.IGNORECASE,
)
_LABEL_BEFORE = re.compile(r"\b(?:ip|ipv4|addr|address|client|src|dst|user|talk|contributions)(?: is| was)?[:=]? ?[\[(]?\Z", re.IGNORECASE)
_LARGE_OCTET = 32


def _ip(match: re.Match[str]) -> int:
    address, begin = match[0], match.start()
    if ":" not in address:
        is_labelled = bool(_LABEL_BEFORE.search(match.string, max(0, begin - 24), begin))
        if sum(int(octet) >= _LARGE_OCTET for octet in address.split(".")) < (1 if is_labelled else 2):
            return 0
        if _VERSION_BEFORE.search(match.string, max(0, begin - 24), begin):
            return 0
        if match.string[begin - 1 : begin] == ":" and not is_labelled:
            return 0
    return len(address) if is_public_address(address) else 0


_GAP = r"(?: / |[ .\u00a0/-])"
_DECIMALS = r",\d{1,6}(?![\d.-])"
"""After a number: the number continues. After a longer one, the next number of a list begins (a column of a spreadsheet)."""
_INTERNATIONAL = re.compile(
    rf"(?<![\w+^*=)\]/.-])\+[1-9]\d{{0,3}}(?:{_GAP}?\(\d{{1,5}}\))?(?:{_GAP}?\d){{6,13}}(?![\w%°^*+]|[.-]\d|{_DECIMALS})", re.ASCII
)
_AMERICAN = re.compile(
    r"(?<![\w.+/#=-])(?<!\d[ \u00a0])(?:1[ .-])?(?:\([2-9]\d\d\)[ \u00a0]?[2-9]\d\d[ .-]|[2-9]\d\d(?P<dash>[.-])[2-9]\d\d(?P=dash))\d{4}"
    rf"(?![\w/=-]|\.\d|{_DECIMALS})",
    re.ASCII,
)
_BRACKETED = re.compile(
    rf"(?<![\w.+)-])\(0\d{{1,5}}\)[ \u00a0]?\d{{2,8}}(?:[ \u00a0/-]\d{{2,8}}){{0,4}}(?![\w-]|\.\d|{_DECIMALS})", re.ASCII
)
_NUMBER = re.compile(rf"(?:(?<!\w)|[+(])\d(?:[ .\u00a0/()-]{{0,2}}\d){{8,14}}(?!\w|[.-]\d|{_DECIMALS})")
_LABEL_OF_NUMBER = re.compile(
    r"\b(?:tel|telephone|phone|ph|fax|telefax|mobile|mob|cell ?phone|cell:|whatsapp|call us|call me|telefon|handy|mobil|tlf|gsm|telefoon"
    r"|puhelin|tél|téléphone|portable|telefono|telefone|telemóvel|celular|teléfono|móvil|тел|телефон)\b\.?"
    r"(?: ?(?:no|number|nr|at|on)\b\.?)?[ :\u00a0]{0,3}\Z",
    re.IGNORECASE,
)
_VERB_BEFORE = re.compile(r"\b(?:call|ring|dial|appelez)(?: [^\W\d_]{1,12}){0,5} \Z", re.IGNORECASE)


_PLANS_OF_ELEVEN = "17"
"""Countries +1 and +7 have only numbers of ten digits after the prefix (ITU-T E.164)."""


def _international(match: re.Match[str]) -> int:
    digits = re.sub(r"\D", "", match[0])
    is_grouped = len(digits) + 1 < len(match[0])
    is_decimal = match[0].count(".") == 1 or ("." in match[0] and "-" in match[0])
    is_round = digits.endswith("000000")
    least, most = (11, 11) if digits[0] in _PLANS_OF_ELEVEN else (8 if is_grouped else 10, 15)
    return len(match[0]) if least <= len(digits) <= most and not is_decimal and not is_round else 0


def _whole(match: re.Match[str]) -> int:
    return len(match[0])


def _number(match: re.Match[str]) -> int:
    number, begin = match[0], match.start()
    is_national = number[0] == "0" and not number.isdigit() and "." not in number
    if _LABEL_OF_NUMBER.search(match.string, max(0, begin - 40), begin) or (
        is_national and _VERB_BEFORE.search(match.string, max(0, begin - 80), begin)
    ):
        return len(number)
    return 0


_PATTERNS: dict[str, tuple[tuple[re.Pattern[str], _Check], ...]] = {
    "email": ((_EMAIL, _email),),
    "iban": ((_IBAN, _iban),),
    "card": ((_CARD, _card),),
    "ip": ((_IP, _ip),),
    "phone": ((_INTERNATIONAL, _international), (_AMERICAN, _whole), (_BRACKETED, _whole), (_NUMBER, _number)),
}


_MOST_LOOKS = 5


def _masked_once(string: str, kind: str, mask: str) -> tuple[str, int]:
    """Return the text with all matches of one kind masked, and their number."""
    count = 0
    for pattern, check in _PATTERNS[kind]:
        pieces, copied = [], 0
        for match in pattern.finditer(string):
            size = check(match)
            if size:
                pieces += [string[copied : match.start()], mask]
                copied = match.start() + size
                count += 1
        if pieces:
            string = "".join([*pieces, string[copied:]])
    return string, count


def _masked(string: str, masks: Mapping[str, str], suspected: Collection[str]) -> tuple[str, dict[str, int]]:
    """Return the text with every kind masked, and the number of each; `suspected` are the kinds that the text may contain at first.

    Matching repeats until nothing is found, because a mask may separate or join its neighbours; but at most `_MOST_LOOKS` times: a hostile
    text in which each mask reveals one more number would take quadratic time.
    """
    counts = dict.fromkeys(masks, 0)
    kinds = [kind for kind in masks if kind in suspected]
    for _ in range(_MOST_LOOKS):
        if not kinds:
            break
        before = sum(counts.values())
        for kind in kinds:
            string, count = _masked_once(string, kind, masks[kind])
            counts[kind] += count
        kinds = list(masks) if sum(counts.values()) > before else []
    return string, counts


@dataclass(frozen=True)
class Pii(Edit):
    """Masks personal data.

    kinds: the kinds to mask (email, iban, card, ip, phone); all by default.
    mask: the replacement text; `{kind}` is the kind's name. Digits, and masks that these rules would mask again, are refused.

    Counts: one for each kind, the number masked in each document.
    """

    version: ClassVar[int] = 3
    packages: ClassVar[tuple[str, ...]] = ("publicsuffixlist",)

    kinds: tuple[str, ...] = PII_KINDS
    mask: str = "<{kind}>"

    def __post_init__(self) -> None:
        """Refuse unknown kinds and masks that look like data. Raises RecipeError."""
        for kind in self.kinds:
            if kind not in PII_KINDS:
                raise RecipeError(f"pii: there is no kind {kind!r}; there are: {', '.join(PII_KINDS)}")
        for mask in self._masks().values():
            if any(c.isdigit() for c in mask) or any(_masked_once(mask, kind, "")[1] for kind in PII_KINDS):
                raise RecipeError(f"pii: the mask {mask!r} looks like personal data; choose words without digits")

    def _masks(self) -> dict[str, str]:
        return {kind: self.mask.replace("{kind}", kind) for kind in PII_KINDS if kind in self.kinds}

    def apply(self, text: Text) -> Edited:
        """Edit a batch."""
        found = np.zeros(len(text), np.uint8)
        _suspects(text.data, text.offsets, found)
        masks = self._masks()
        counts = {kind: np.zeros(len(text), np.int64) for kind in masks}
        replaced = {}
        for i in np.flatnonzero(found).tolist():
            suspected = [kind for place, kind in enumerate(PII_KINDS) if found[i] & (1 << place)]
            string, masked = _masked(text.string(i), masks, suspected)
            for kind, count in masked.items():
                counts[kind][i] = count
            if any(masked.values()):
                replaced[i] = string.encode()
        return Edited(rewritten(text, replaced), counts)
