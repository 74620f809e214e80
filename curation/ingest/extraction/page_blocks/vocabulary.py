"""The words that pages are built with: tags and their kinds, words in class and id names, words of buttons and notices.

Class names are the same all over the web, because few systems write them: `sidebar`, `entry-content`, `comments`. They are cut into words
("entryContent" and "entry-content" have two each) and sorted into groups. The models see the distance up the tree to the nearest element of
each group, never the words. Look-ups use open-addressed hash tables of FNV-1a hashes, for kernels.

Invariant: `GROUPS`, `NEAR_TAGS` and `NOTICES` define the columns of features, so changing them requires new weights.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from curation.text.kernels import inline_kernel


def words_of(text: str) -> list[str]:
    """Return the words of a line."""
    return text.split()


_INLINE = words_of(
    "a span b i em strong u s small big sub sup font code kbd samp var tt abbr acronym cite q time mark ins del label img wbr bdi "
    "bdo data dfn ruby rt rp rb nobr strike input br noscript"
)
_BLOCKS = words_of(
    "p div section article main nav aside footer header form table thead tbody tfoot tr td th caption ul ol li dl dt dd figure "
    "figcaption blockquote pre button h1 h2 h3 h4 h5 h6 details summary address hr body html fieldset legend "
    "center menu dialog hgroup search output"
)
_SKIPPED = words_of(
    "script style template svg math iframe object canvas audio video select textarea datalist head title option optgroup progress meter"
)
_VOID = words_of("img wbr input br hr area base col embed link meta param source track")
_PREFORMATTED = words_of("pre listing xmp plaintext")

TAGS = ["", *_INLINE, *_BLOCKS, *_SKIPPED, *(tag for tag in _VOID if tag not in _INLINE + _BLOCKS), "mjx-container", *_PREFORMATTED[1:]]
"""A tag's number is its place here; 0 stands for all others."""

GROUPS = [
    "nav navbar navigation navi menu menus submenu topnav subnav breadcrumb breadcrumbs crumb crumbs sitemap megamenu tabs tab",
    "footer foot colophon copyright legal disclaimer bottom siteinfo footnav imprint",
    "header masthead topbar banner top sitehead toolbar logo branding brand",
    "sidebar side aside rail secondary tertiary widget widgets sidebars rightcol leftcol sidecol right left module",
    "comment comments disqus discuss discussion respond reply replies responses commentlist commenting usercomments kommentare",
    "share sharing social socials facebook twitter tweet follow addthis sharedaddy pinterest whatsapp email print linkedin buttons",
    "related recommended recommend recommendation recommendations also similar trending popular latest recent teaser teasers more outbrain "
    "taboola next prev previous pagination pager readmore mostread yarpp jp",
    "ad ads advert advertisement advertising sponsor sponsored dfp gpt adsense adv adslot leaderboard anzeige werbung promo promoted "
    "promotion",
    "meta byline author authors date time timestamp published postmeta dateline bio credit credits source info updated",
    "cookie cookies consent gdpr modal popup overlay newsletter subscribe subscription signup login signin paywall register dialog cta "
    "donate donation mailing optin alert notice",
    "content contents maincontent page main primary center middle container wrapper prose markdown wysiwyg rich richtext",
    "articlebody storybody postcontent postbody entrycontent articlecontent articletext storytext bodytext newstext textbody copy entry "
    "body text paragraph rte",
    "article story post blog news hentry single blogpost",
    "thread message messages topic forum answer answers question questions posts postmessage bbwrapper",
    "caption captions figcaption figure image images img photo photos picture gallery media video player thumb thumbnail slideshow "
    "carousel slider slide lightbox embed",
    "search form filter filters sort input dropdown select facet facets refine",
    "list lists grid card cards item items tile tiles feed col row listing results result archive",
    "product products price prices cart spec specs specification specifications description review reviews rating ratings shop basket sku",
    "code highlight syntax example snippet sourcecode console terminal listing",
    "hidden hide sr visually screenreader invisible noprint skip skiplink offscreen hideme",
    "title headline heading subtitle deck summary lead lede intro excerpt standfirst dek subhead teasertext abstract",
    "references reference footnote footnotes citation bibliography reflist cite",
    "toc infobox navbox catlinks editsection edit tags tag tagcloud category categories topics keywords label labels",
]
"""Groups of words in class, id, role and itemprop."""

NEAR_TAGS = [
    "nav", "aside", "footer", "header", "article", "main", "section", "form fieldset", "table", "ul ol menu", "li", "figure figcaption",
    "blockquote", "pre", "button", "a", "h1 h2 h3 h4 h5 h6", "dl", "label", "details dialog", "td th", "noscript",
]  # fmt: skip
"""Groups of tags whose distance up the tree is a feature."""

NOTICES = [
    "share tweet facebook twitter whatsapp pinterest linkedin instagram email e-mail print teilen follow",
    "copyright rights reserved terms privacy policy cookie cookies gdpr impressum datenschutz agb imprint disclaimer",
    "subscribe newsletter sign signup login log register anmelden account password abonnieren free trial",
    "comment comments reply replies kommentar kommentare respond leave",
    "read more weiterlesen mehr related also next previous continue latest popular trending see view all",
    "advertisement anzeige sponsored ad werbung promoted",
    "by author written von published updated posted date edited",
    "photo image credit getty reuters ap foto bild source quelle",
    "javascript browser enable enabled supported",
    "tags tag categories category filed topics schlagworte",
    "search menu home skip close open toggle back top click here",
]
"""Words that pages use about themselves. They are counted in a block's text; each group is one feature."""

FORMULA_WORDS = "katex jax mathjax mjx mwe latex tex mathml math asciimath equation formula"
"""Words in the classes of mathematics; a page with one goes through `formulas`."""

LAYOUT_WORDS = "superscript subscript blobcode crayonline syntaxhighlighter codemirrorline"
"""Words in the classes of text that only a style sheet raises or breaks into lines of code; a page with one goes through `restyled`."""

LINE_WORDS = "line codeline viewline"
"""Words in the classes of lines of code: such an element begins a line even without a line end."""

GUTTER_WORDS = "gutter lineno linenos linenodiv lnt ln linenumber linenumbers"
"""Words in classes of line numbers beside code; `numbers` alone counts below code only."""

UNSELECTABLE_WORDS = "selectnone userselectnone unselectable noselect"
"""Words in classes of what nobody copies along with code: numbers beside it."""

N_GROUPS, N_NEAR, N_NOTICES = len(GROUPS), len(NEAR_TAGS), len(NOTICES)
FORMULA, GUTTER, RESTYLED, CODE_LINE, UNSELECTABLE = (1 << (len(GROUPS) + place) for place in range(5))

INLINE, VOID, SKIPPED, PREFORMATTED = 1, 2, 4, 8
"""Kinds of tags, as bits."""

_KINDS = {INLINE: [*_INLINE, "link", "meta"], VOID: _VOID, SKIPPED: _SKIPPED, PREFORMATTED: _PREFORMATTED}

_SEED, _STEP = 0xCBF29CE484222325, 0x100000001B3
SEED, STEP = np.uint64(_SEED), np.uint64(_STEP)


def tag_number(tag: str) -> int:
    """Return the number of a tag."""
    return TAGS.index(tag)


class Vocabulary(NamedTuple):
    """The tables, as kernels take them: of tags, of words in classes, of words in texts; the kind and the `NEAR_TAGS` bits of each tag."""

    tag_hashes: Any
    tag_numbers: Any
    class_hashes: Any
    class_groups: Any
    notice_hashes: Any
    notice_groups: Any
    kinds: Any
    near: Any


@cache
def vocabulary() -> Vocabulary:
    """Return the tables, which are made once."""
    kinds = np.array([sum(kind for kind, tags in _KINDS.items() if tag in tags) for tag in TAGS], np.uint8)
    near = np.array([sum(1 << place for place, tags in enumerate(NEAR_TAGS) if tag in tags.split()) for tag in TAGS], np.int64)
    marks = (
        (FORMULA_WORDS, FORMULA),
        (GUTTER_WORDS, GUTTER),
        (LAYOUT_WORDS, RESTYLED),
        (LINE_WORDS, CODE_LINE),
        (UNSELECTABLE_WORDS, UNSELECTABLE),
    )
    classes = [*_bits(GROUPS), *((word, bit) for words, bit in marks for word in words.split())]
    return Vocabulary(*slots_of(enumerate_tags(), 512), *slots_of(classes, 2048), *slots_of(_bits(NOTICES), 512), kinds, near)


def enumerate_tags() -> list[tuple[str, int]]:
    """Return each tag with its number."""
    return [(tag, number) for number, tag in enumerate(TAGS) if tag]


def _bits(groups: Iterable[str]) -> list[tuple[str, int]]:
    return [(word, 1 << place) for place, words in enumerate(groups) for word in words.split()]


def slots_of(pairs: Iterable[tuple[str, int]], size: int) -> tuple[Any, Any]:
    """Return keys and values of a hash table; the values of a word are combined bit by bit."""
    hashes, values = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    for word, value in pairs:
        key = hash_of(word)
        place = key & (size - 1)
        while hashes[place] not in (0, key):
            place = (place + 1) & (size - 1)
        hashes[place] = key
        values[place] |= value
    return hashes, values


def hash_of(word: str) -> int:
    """Return the FNV-1a hash of a word."""
    value = _SEED
    for byte in word.encode():
        value = (value ^ byte) * _STEP % (1 << 64)
    return value


@inline_kernel
def is_one_of(number: int, numbers: Any) -> bool:
    """Return whether some numbers contain a number."""
    for other in numbers:  # noqa: SIM110  (numba compiles no generators)
        if other == number:
            return True
    return False


@inline_kernel
def looked_up(hashes: Any, values: Any, key: Any) -> int:
    """Return the value of a hash; 0 if the table does not contain it."""
    mask = np.uint64(len(hashes) - 1)
    place = key & mask
    while hashes[place] != 0:
        if hashes[place] == key:
            return values[place]  # type: ignore[no-any-return]
        place = (place + np.uint64(1)) & mask
    return 0
