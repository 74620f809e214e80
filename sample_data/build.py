"""Build ``sample_data/crawl.warc.gz`` from the hand-written page sources in ``sample_data/pages``.

The idea: a crawl is awkward to review and to edit, a folder of small text files is not. So every page of the
sample crawl is kept as a source file, TOML front matter between two ``+++`` lines and then the HTML of the main
content, and this module plays the web server and the crawler. It wraps the content in the page's layout (menus,
advertisements, cookie notices, footers), encodes it, adds HTTP headers, and writes WARC records.

The build is deterministic, so the archive can be checked in and compared with its sources: pages are taken in the
order of their paths, record ids are ``uuid5`` of record type, URL and date, dates come from the front matter, and
each record is a gzip member with no time stamp. Only the compressed bytes may differ from one zlib version to
another, which is why ``--check`` compares the records themselves and not the file.

Run ``python -m sample_data.build`` to rebuild the archive, with ``--check`` to compare only (exit status 1 if the
archive is not what the sources give). The front matter keys are the fields of :class:`FrontMatter`.
"""

import argparse
import hashlib
import io
import sys
import tomllib
import urllib.parse
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

ROOT = Path(__file__).resolve().parent
PAGE_FOLDER = ROOT / "pages"
LAYOUTS = PAGE_FOLDER / "layouts"
ARCHIVE = ROOT / "crawl.warc.gz"

FENCE = "+++"
WARC_VERSION = "1.0"
CRAWLER = "samplebot/1.0 (+https://samplebot.example/about)"
RECORD_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://samplebot.example/records")
WARCINFO_DATE = datetime(2026, 3, 1, tzinfo=UTC)
RESERVED_DOMAINS = ("example", "example.com", "example.org", "example.net")
SERVERS = ("nginx", "Apache/2.4.58 (Debian)", "nginx/1.24.0", "Caddy", "LiteSpeed", "Apache")


class PageError(Exception):
    """A page source that cannot be built; the message names the file."""


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The front matter of a page. A mirror takes the keys it does not give from the page it mirrors, except the HTTP ones.

    ``status``, ``location``, ``content_type`` and ``encoding`` say what the web server does: ``encoding`` is how the
    body is really encoded, ``content_type`` what the HTTP header claims, ``meta_charset`` what the page itself claims
    (by default the real encoding, and nothing if it is empty). ``replace`` and ``append`` edit the mirrored fragment.
    ``metadata`` asks for a metadata record, ``revisit`` for a revisit record of that later date.
    """

    url: str
    date: datetime
    layout: str = ""
    title: str = ""
    status: int = 200
    location: str = ""
    content_type: str = "text/html; charset=utf-8"
    encoding: str = "utf-8"
    meta_charset: str | None = None
    mirror_of: str = ""
    replace: tuple[tuple[str, str], ...] = ()
    append: str = ""
    metadata: bool = False
    revisit: datetime | None = None
    site: str = ""
    author: str = ""
    extra: str = ""
    lang: str = ""
    description: str = ""


INHERITED = ("layout", "title", "site", "author", "extra", "lang", "description")
"""What a mirror takes from the page it mirrors when it does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page source: its path under ``pages``, its front matter, and its fragment (mirrors resolved by :func:`load_pages`)."""

    name: str
    front: FrontMatter
    fragment: str


def _front_matter(name: str, text: str) -> FrontMatter:
    """Parse and check the TOML between the fences."""
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PageError(f"{name}: front matter is not TOML: {error}") from error
    known = {field.name: field for field in fields(FrontMatter)}
    if unknown := sorted(raw.keys() - known.keys()):
        raise PageError(f"{name}: unknown front matter key: {', '.join(unknown)}")
    for key, field in known.items():
        if key not in raw:
            if field.default is MISSING:
                raise PageError(f"{name}: front matter has no {key}")
            continue
        raw[key] = _checked(name, key, raw[key])
    front = FrontMatter(**raw)
    parts = urllib.parse.urlsplit(front.url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not any(host == end or host.endswith("." + end) for end in RESERVED_DOMAINS):
        raise PageError(f"{name}: url must be http(s) on a host under .example or example.com, .org or .net: {front.url}")
    if 300 <= front.status < 400 and not front.location:
        raise PageError(f"{name}: status {front.status} needs a location")
    return front


def _checked(name: str, key: str, value: Any) -> Any:
    """Return a value of front matter as its field holds it. Raises PageError for one of another type."""
    if key in ("date", "revisit"):
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise PageError(f"{name}: {key} must be a date and time with a time zone")
        return value.astimezone(UTC)
    if key == "replace":
        if not isinstance(value, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in value
        ):
            raise PageError(f"{name}: replace must be a list of [old, new] pairs")
        return tuple((old, new) for old, new in value)
    wanted = {"status": int, "metadata": bool}.get(key, str)
    if type(value) is not wanted:
        raise PageError(f"{name}: {key} must be of type {wanted.__name__}")
    return value


def parse_page(name: str, source: str) -> Page:
    """Split a page source into front matter and fragment."""
    lines = source.split("\n")
    if lines[0].strip() != FENCE:
        raise PageError(f"{name}: does not start with a {FENCE} line")
    for number, line in enumerate(lines[1:], 1):
        if line.strip() == FENCE:
            return Page(name, _front_matter(name, "\n".join(lines[1:number])), "\n".join(lines[number + 1 :]).strip("\n"))
    raise PageError(f"{name}: front matter has no closing {FENCE} line")


def _resolve(pages: dict[str, Page], name: str, trail: tuple[str, ...] = ()) -> Page:
    """The page with its fragment in place: a mirror's is taken from its source, edited, and its missing keys filled in."""
    if name in trail:
        raise PageError(f"{name}: mirror_of goes in a circle: {' -> '.join((*trail, name))}")
    page = pages[name]
    front = page.front
    if not front.mirror_of:
        if front.replace or front.append:
            raise PageError(f"{name}: replace and append are for pages with mirror_of")
        return page
    if front.mirror_of not in pages:
        raise PageError(f"{name}: mirror_of names no page: {front.mirror_of}")
    if page.fragment:
        raise PageError(f"{name}: a page with mirror_of has no body of its own")
    source = _resolve(pages, front.mirror_of, (*trail, name))
    fragment = source.fragment
    for old, new in front.replace:
        if old not in fragment:
            raise PageError(f"{name}: replace: not in {front.mirror_of}: {old!r}")
        fragment = fragment.replace(old, new)
    if front.append:
        fragment += "\n" + front.append
    inherited = {key: getattr(source.front, key) for key in INHERITED if not getattr(front, key)}
    return Page(name, replace(front, **inherited), fragment)


def load_pages(root: Path = PAGE_FOLDER) -> list[Page]:
    """All pages under ``root`` in the order of their paths, mirrors resolved."""
    pages: dict[str, Page] = {}
    seen: dict[tuple[str, datetime], str] = {}
    for path in sorted(root.rglob("*.html"), key=lambda path: path.relative_to(root).as_posix()):
        if LAYOUTS in path.parents:
            continue
        name = path.relative_to(root).as_posix()
        try:
            source = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise PageError(f"{name}: not UTF-8: {error}") from error
        page = pages[name] = parse_page(name, source)
        key = page.front.url, page.front.date
        if key in seen:
            raise PageError(f"{name}: same url and date as {seen[key]}")
        seen[key] = name
    return [_resolve(pages, name) for name in pages]


def _number(text: str) -> int:
    """A stable number made from a text, for what should look arbitrary (an address, a counter on a page)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def render_body(page: Page, environment: jinja2.Environment) -> bytes:
    """The body the web server sends: the fragment in its layout, in the page's encoding.

    A character the encoding lacks becomes a numeric character reference, as it does when a browser submits such text.
    """
    front = page.front
    values: dict[str, Any] = {
        "url": front.url,
        "title": front.title,
        "date": front.date,
        "site": front.site or urllib.parse.urlsplit(front.url).hostname,
        "author": front.author,
        "extra": front.extra,
        "lang": front.lang or "en",
        "description": front.description,
        "meta_charset": front.encoding if front.meta_charset is None else front.meta_charset,
        "seed": _number(front.title),
    }
    try:
        text = environment.from_string(page.fragment).render(values)
        if front.layout not in ("", "none"):
            text = environment.get_template(f"{front.layout}.html").render(values, content=Markup(text)) + "\n"
        return text.encode(front.encoding, errors="xmlcharrefreplace")
    except jinja2.TemplateNotFound as error:
        raise PageError(f"{page.name}: no layout {error}") from error
    except jinja2.TemplateError as error:
        raise PageError(f"{page.name}: template error: {error}") from error
    except (LookupError, UnicodeEncodeError) as error:
        raise PageError(f"{page.name}: cannot encode: {error}") from error


def _warc_date(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%SZ")


def _record_id(kind: str, url: str, date: datetime) -> str:
    return f"<urn:uuid:{uuid.uuid5(RECORD_NAMESPACE, f'{kind} {url} {_warc_date(date)}')}>"


def _warc_headers(kind: str, front: FrontMatter, date: datetime, **more: str) -> dict[str, str]:
    headers = {"WARC-Record-ID": _record_id(kind, front.url, date), "WARC-Date": _warc_date(date)}
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


def _response_headers(front: FrontMatter, length: int, date: datetime) -> StatusAndHeaders:
    host = urllib.parse.urlsplit(front.url).netloc
    headers = [
        ("Date", date.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        ("Server", SERVERS[_number(host) % len(SERVERS)]),
        ("Content-Type", front.content_type),
        ("Content-Length", str(length)),
    ]
    if front.location:
        headers.append(("Location", front.location))
    headers += [("Vary", "Accept-Encoding"), ("Connection", "close")]
    return StatusAndHeaders(f"{front.status} {HTTPStatus(front.status).phrase}", headers, protocol="HTTP/1.1")


def _page_records(writer: WARCWriter, page: Page, body: bytes) -> Iterator[ArcWarcRecord]:
    """The records of a page: request, response, and where the page asks for them metadata and revisit."""
    front = page.front
    parts = urllib.parse.urlsplit(front.url)
    number = _number(parts.netloc)
    address = f"198.51.100.{number % 254 + 1}"
    response_id = _record_id("response", front.url, front.date)

    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    request_headers = [("Host", parts.netloc), ("User-Agent", CRAWLER), ("Accept", "text/html,*/*;q=0.8"), ("Connection", "close")]
    yield writer.create_warc_record(
        front.url,
        "request",
        payload=io.BytesIO(),
        length=0,
        http_headers=StatusAndHeaders(f"GET {target} HTTP/1.1", request_headers, is_http_request=True),
        warc_headers_dict=_warc_headers("request", front, front.date, WARC_IP_Address=address, WARC_Concurrent_To=response_id),
    )
    response = writer.create_warc_record(
        front.url,
        "response",
        payload=io.BytesIO(body),
        length=len(body),
        http_headers=_response_headers(front, len(body), front.date),
        warc_headers_dict=_warc_headers("response", front, front.date, WARC_IP_Address=address),
    )
    digest = response.rec_headers.get_header("WARC-Payload-Digest")
    yield response
    if front.metadata:
        lines = f"fetchTimeMs: {_number(front.url) % 900 + 40}\r\ncharset-declared: {front.content_type}\r\n".encode()
        yield writer.create_warc_record(
            front.url,
            "metadata",
            payload=io.BytesIO(lines),
            length=len(lines),
            warc_headers_dict=_warc_headers("metadata", front, front.date, WARC_Concurrent_To=response_id),
        )
    if front.revisit is not None:
        yield writer.create_revisit_record(
            front.url,
            digest,
            front.url,
            _warc_date(front.date),
            http_headers=_response_headers(front, len(body), front.revisit),
            warc_headers_dict=_warc_headers("revisit", front, front.revisit, WARC_IP_Address=address),
        )


def build_samples(root: Path = PAGE_FOLDER) -> bytes:
    """The archive as bytes, built from the page sources under ``root``."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(LAYOUTS), undefined=jinja2.StrictUndefined, autoescape=True, keep_trailing_newline=False
    )
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True, warc_version=WARC_VERSION)
    info = (
        b"software: sample_data.build\r\nformat: WARC File Format 1.0\r\n"
        b"description: An invented crawl, written for this project as sample data\r\nrobots: ignore\r\n"
    )
    headers = {
        "WARC-Record-ID": _record_id("warcinfo", ARCHIVE.name, WARCINFO_DATE),
        "WARC-Date": _warc_date(WARCINFO_DATE),
        "WARC-Filename": ARCHIVE.name,
    }
    writer.write_record(writer.create_warc_record("", "warcinfo", payload=io.BytesIO(info), length=len(info), warc_headers_dict=headers))
    for page in load_pages(root):
        for record in _page_records(writer, page, render_body(page, environment)):
            writer.write_record(record)
    return buffer.getvalue()


def split_records(archive: bytes) -> list[bytes]:
    """The records of an archive, decompressed, one for each gzip member."""
    records = []
    while archive:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        records.append(member.decompress(archive) + member.flush())
        if not member.eof:
            raise zlib.error("the archive ends inside a record")
        archive = member.unused_data
    return records


def _describe(record: bytes) -> str:
    """Type and URL of a record, for a message."""
    head = record.split(b"\r\n\r\n", 1)[0].decode("utf-8", errors="replace")
    found = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
    return f"{found.get('WARC-Type', '?')} {found.get('WARC-Target-URI', '')}".strip()


def files_that_differ(built: list[bytes], stored: list[bytes]) -> list[str]:
    """What differs between the records the sources give and the records of the archive, one line for each."""
    in_built, in_stored = set(built), set(stored)
    lines = [f"missing from the archive: {_describe(record)}" for record in built if record not in in_stored]
    lines += [f"not given by the sources: {_describe(record)}" for record in stored if record not in in_built]
    if not lines and built != stored:
        lines.append("the records are in another order")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Command line entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sample_data.build", description="Build the sample crawl from its page sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with status 1 if the archive is out of date")
    options = parser.parse_args(arguments)
    try:
        archive = build_samples()
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    records = split_records(archive)
    if options.check:
        try:
            lines = files_that_differ(records, split_records(ARCHIVE.read_bytes()))
        except (OSError, zlib.error) as error:
            lines = [f"{ARCHIVE.name} cannot be read: {error}"]
        for line in lines:
            print(line, file=sys.stderr)
        return 1 if lines else 0
    ARCHIVE.write_bytes(archive)
    print(f"{ARCHIVE.name}: {len(records)} records, {len(archive):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
