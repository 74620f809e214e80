"""A page's statements about itself: title, author, date, site, canonical address, language, licence, the kind of page that it claims to be,
and the texts that describe it.

Sources, in this order: meta tags of OpenGraph, JSON-LD (schema.org), other meta and link tags (Dublin Core, rel=license), the document's
own title. The licence comes from rel=license, JSON-LD or a link to Creative Commons in the page's text.

Invariants
    - Values are one line of at most `LONGEST` characters; nothing in a page makes reading fail.
    - Time is linear in the page; JSON-LD longer than `LARGEST_JSON` characters is not read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, NamedTuple

import numpy as np

LONGEST = 500
LARGEST_JSON = 200_000
_MOST_NODES = 2_000
_BLANKS = re.compile(r"\s+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_COMMONS = re.compile(r"https?://creativecommons\.org/(?:licenses|publicdomain)/[a-z0-9.+-]+(?:/[0-9.]+)?", re.IGNORECASE)
_TYPE = re.compile(r'"@type"\s*:\s*\[?\s*"(\w+)"')
_METAS = {
    "title": ("og:title", "twitter:title", "dc.title", "citation_title"),
    "author": ("author", "article:author", "dc.creator", "citation_author", "parsely-author", "byl"),
    "date": (
        "article:published_time", "og:published_time", "datepublished", "date", "dc.date", "dc.date.issued", "dcterms.date",
        "citation_publication_date", "citation_date", "parsely-pub-date", "pubdate", "publish-date", "article:published",
    ),
    "site": ("og:site_name", "application-name"),
    "canonical": ("og:url",),
    "language": ("og:locale", "content-language", "dc.language"),
    "license": ("dc.rights", "dcterms.license", "copyright-license"),
}  # fmt: skip
"""Names of meta tags for each fact, the best first."""

_KINDS = {"article": 0, "website": 1, "product": 2}
_FORUMS = {"DiscussionForumPosting", "QAPage", "Question", "Comment", "Answer"}
_LISTS = {"ItemList", "CollectionPage", "SearchResultsPage"}
_ARTICLES = ("Article", "BlogPosting", "NewsArticle", "TechArticle", "ScholarlyArticle", "Report", "LearningResource", "Book", "Recipe")
_LAST_COUNT = 20
_BODY = re.compile(r"<body\b", re.IGNORECASE)
_HEAD_TAG = re.compile(r"""<([mMlL])(?:[eE][tT][aA]|[iI][nN][kK])\b([^>"']*+(?:(?:"[^"]{0,5000}"|'[^']{0,5000}')[^>"']*+)*+)""")
_ATTRIBUTE = re.compile(r"""([a-zA-Z][\w:.-]*+)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_JSON = "application/ld+json"
_TAG = re.compile(r"<[^<>]*>")
_DESCRIPTIONS = ("description", "og:description", "twitter:description")
_NAME_KEYS = ("headline", "name")
_BODY_KEYS = ("articleBody", "description", "text", "reviewBody", "caption", "recipeInstructions")
"""Where meta tags and JSON-LD have descriptions, names, and texts that the page shows too."""


class DeclaredTexts(NamedTuple):
    """What the page says in its own words, a text a line: its names, its descriptions, and the bodies that JSON-LD repeats."""

    names: str
    descriptions: str
    bodies: str


@dataclass(frozen=True)
class Declared:
    """Facts by name, those that the page declares; the counts that the models see: og:type, and the types of JSON-LD; and texts."""

    facts: Mapping[str, str]
    counts: Any
    texts: DeclaredTexts


def declared(html: str, head: str, tree: Any) -> Declared:
    """Read a page: its source, that of its head, and its tree as resiliparse parses it."""
    facts: dict[str, str] = {}
    metas, links = _head(head)
    scripts = list(_json_scripts(html))
    nodes = [node for value in _values(scripts) for node in _nodes(value)]
    told = _from_json(nodes)
    for fact, names in _METAS.items():
        found = next((metas[name] for name in names if name in metas), None)
        if fact in ("author", "date"):  # a meta author is often an account or a profile's address
            found = told.get(fact) or found
        value = _line(found or told.get(fact) or "")
        if value:
            facts[fact] = value
    title = _line(tree.title or "")
    if title:
        facts["title"] = facts.get("title") or title
    if links.get("canonical"):
        facts["canonical"] = _line(links["canonical"])
    if links.get("license"):
        facts["license"] = _line(links["license"])
    given = facts.get("license") or license_in(html)
    if given:
        facts["license"] = given
    if facts.get("author", "").startswith(("http:", "https:")):
        del facts["author"]
    if _DATE.match(facts.get("date", "")):
        facts["date"] = facts["date"][:10]
    language = _line(_root_language(tree))
    if language:
        facts["language"] = language
    return Declared(facts, _counts(metas.get("og:type", ""), scripts), _texts(metas, tree.title or "", nodes))


def license_in(page: str) -> str | None:
    """Return the first Creative Commons licence that a page's body links to, for pages that declare none."""
    found = _COMMONS.search(page) if "creativecommons.org/" in page else None
    return found[0] if found else None


def head_of(html: str) -> str:
    """Return what stands before `<body>` in a page's source."""
    ends = _BODY.search(html)
    return html[: ends.start()] if ends else html


def _head(head: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the first content of each meta name, and the first target of each link relation; names are in lower case.

    They are read from the source: asking the tree for each of its nodes takes longer than parsing the page.
    """
    metas: dict[str, str] = {}
    links: dict[str, str] = {}
    for letter, attributes in _HEAD_TAG.findall(head):
        is_link = letter in "lL"
        if is_link and "canonical" not in (said := attributes.lower()) and "license" not in said:
            continue
        found = {name.lower(): quoted or single or bare for name, quoted, single, bare in _ATTRIBUTE.findall(attributes)}
        if is_link:
            links.setdefault(found.get("rel", "").strip().lower(), found.get("href", ""))
            continue
        name = found.get("property") or found.get("name") or found.get("itemprop") or found.get("http-equiv")
        if name and found.get("content"):
            metas.setdefault(name.strip().lower(), found["content"])
    return metas, links


def _root_language(tree: Any) -> str:
    root = tree.body.parent
    return str((root.getattr("lang") if root is not None else None) or "")


def _json_scripts(html: str) -> Iterator[str]:
    """Yield the content of JSON-LD scripts. A script is raw text, so the source has the same content as the tree, and it is faster."""
    place = html.find(_JSON)
    while place >= 0:
        begins = html.find(">", place) + 1
        ends = html.find("</script", begins) if begins else -1
        if 0 < ends - begins <= LARGEST_JSON:
            yield html[begins:ends]
        place = html.find(_JSON, ends) if ends >= 0 else -1


def _line(value: str) -> str:
    return _BLANKS.sub(" ", unescape(value[: 4 * LONGEST])).strip()[:LONGEST]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON value, outer ones first, up to a limit."""
    waiting = [value]
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        item = waiting.pop(0)
        if isinstance(item, dict):
            yield item
            waiting += [inner for inner in item.values() if isinstance(inner, dict | list)]
        elif isinstance(item, list):
            waiting += [inner for inner in item[:_MOST_NODES] if isinstance(inner, dict | list)]


def _values(scripts: list[str]) -> Iterator[Any]:
    """Yield the values in the scripts; a script that is not JSON has none."""
    for text in scripts:
        try:
            yield json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue


def _texts(metas: Mapping[str, str], title: str, nodes: list[dict[str, Any]]) -> DeclaredTexts:
    """Return the texts of meta tags, the title and JSON-LD, without tags and character references."""
    names, bodies = [title], []
    for node in nodes:
        names += [name for key in _NAME_KEYS if isinstance(name := node.get(key), str)]
        bodies += [text for key in _BODY_KEYS for text in _list(node.get(key)) if isinstance(text, str)]
    names += [metas[name] for name in _METAS["title"][:2] if name in metas]
    descriptions = [metas[name] for name in _DESCRIPTIONS if name in metas]
    return DeclaredTexts(*("\n".join(_TAG.sub(" ", unescape(text)) for text in texts) for texts in (names, descriptions, bodies)))


def _from_json(nodes: list[dict[str, Any]]) -> dict[str, str]:
    """Return what JSON-LD says about the first object in it that is an article or has a headline."""
    facts: dict[str, str] = {}
    for node in nodes:
        if "headline" not in node and not any(str(kind).endswith(_ARTICLES) for kind in _list(node.get("@type"))):
            continue
        for fact, key in (
            ("title", "headline"),
            ("author", "author"),
            ("date", "datePublished"),
            ("license", "license"),
            ("language", "inLanguage"),
        ):
            named = ", ".join(name for name in map(_name, _list(node.get(key))) if name)
            if named:
                facts.setdefault(fact, named)
        publisher = _name(node.get("publisher"))
        if publisher:
            facts.setdefault("site", publisher)
    return facts


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _name(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("url") or ""
    return value if isinstance(value, str) else ""


def _counts(kind: str, scripts: list[str]) -> Any:
    counts = np.zeros(8, np.float32)
    if kind:
        counts[_KINDS.get(kind.lower(), 3)] = 1
    for text in scripts:
        for name in _TYPE.findall(text):
            if name.endswith("Article") or name == "BlogPosting":
                counts[4] += 1
            elif name == "Product":
                counts[5] += 1
            elif name in _FORUMS:
                counts[6] += 1
            elif name in _LISTS:
                counts[7] += 1
    return np.minimum(counts, _LAST_COUNT)
