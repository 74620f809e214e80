"""The record of a document as it stands in the input, and its text before any edit.

run.json names the folders of the inputs; the ledger names the file of a record and its offset. The file is read from its beginning up to
the offset, so a record at the end of a large crawl file takes as long as reading the file.

Invariants
    - A record is shown only if its key, a hash of its bytes, is the key in the ledger. So a changed file is noticed, and a forged run
      folder cannot show a file whose content its author did not know.
    - Only local files are opened, and files of the store that holds the run: looking at a run contacts no other server.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from curation.choices import build, read_toml
from curation.errors import CurationError, InputError
from curation.ingest.encoding import Undecodable, decode_text
from curation.ingest.extraction import extractor_named
from curation.ingest.page_text import NoPage, text_of_page
from curation.ingest.readers import Record, Tally, read_records
from curation.storage.location import FileFacts, Location
from curation.storage.ownership import RUN
from curation.storage.record_keys import record_key
from curation.storage.records import find_record
from curation.storage.source_file import Fields, SourceFile


@dataclass(frozen=True)
class InputPlace:
    """Where the ledger says a record is: the file's relative path, the offset in it, and the record's key."""

    file_path: str
    offset: int
    key: bytes


@dataclass(frozen=True)
class Original:
    """A record: what its head says, its content as text, and the text before any edit (None where the content is no page)."""

    place: str
    head: Mapping[str, str]
    body: str
    extracted: str | None


def original_of(out: Location, wanted: InputPlace, recipe: str) -> Original:
    """Return a record of a run's input; `recipe` is the text of the run's recipe. Raises InputError if the record is gone."""
    tables = read_toml(recipe, "the run's recipe")
    folders = _folders(out)
    files = [facts for folder in folders if (facts := _file_below(out, folder, wanted.file_path)) is not None]
    for facts in files:
        for names in _fields(tables):
            record = _read(facts, wanted, names)
            if record is not None:
                return _told(facts.location, record, tables)
    if files:
        raise InputError(f"{files[0].location} has changed since the run read it: the record is not there any more")
    where = f" in {', '.join(folders)}" if folders else "; the run does not say where its inputs were"
    raise InputError(f"the input {wanted.file_path} is not there any more{where}")


def _folders(out: Location) -> list[str]:
    """Return the folders of the run's inputs, those of the last session first."""
    sessions = (find_record(out / RUN) or {}).get("sessions")
    entries = [entry for entry in sessions if isinstance(entry, dict)] if isinstance(sessions, list) else []
    named = [entry["inputs"] for entry in reversed(entries) if isinstance(entry.get("inputs"), list)]
    return list(dict.fromkeys(folder for folders in named for folder in folders if isinstance(folder, str)))


def _file_below(out: Location, folder: str, relative: str) -> FileFacts | None:
    """Return the input file of a relative path below a folder, if it is a file that may be opened."""
    try:
        place = Location.of(f"{folder}{relative}")
    except InputError:  # a name that is no text
        return None
    if not place.is_local and place.scheme != out.scheme:
        return None
    facts = place.facts()
    return facts if facts is not None and facts.size else None  # what the system makes up has no size


def _fields(tables: Mapping[str, Any]) -> Iterator[Fields]:
    """Yield the field names of the recipe's inputs, and the usual names."""
    inputs = tables.get("input")
    known = [field.name for field in fields(Fields)]
    found = [Fields()]
    for table in inputs if isinstance(inputs, list) else []:
        if isinstance(table, dict):
            found.append(Fields(**{name: table[name] for name in known if isinstance(table.get(name), str)}))
    yield from dict.fromkeys(found)


@lru_cache(maxsize=4)
def _read(facts: FileFacts, wanted: InputPlace, names: Fields) -> Record | None:
    """Read a file as far as the record's offset; None where no record with its key begins there."""
    source = SourceFile(facts.location, wanted.file_path, "", facts.size, facts.changed, names)
    for outcome in read_records(source, Tally()):
        if outcome.offset > wanted.offset:
            return None
        if not isinstance(outcome, Record) or outcome.offset != wanted.offset:
            continue
        if record_key(outcome.own_id, outcome.url, outcome.raw) == wanted.key:
            return outcome
    return None


def _told(place: Location, record: Record, tables: Mapping[str, Any]) -> Original:
    head = {"HTTP status": record.status, "content type": record.content_type, "crawled": record.crawled_at, "id": record.own_id}
    shown = {name: str(value) for name, value in head.items() if value is not None}
    if isinstance(record.payload, str):
        return Original(str(place), shown, record.payload, record.payload)
    try:
        body = decode_text(record.payload, record.content_type).text
    except Undecodable:
        body = record.payload.decode("utf-8", "replace")
    return Original(str(place), shown, body, _extracted(record, record.payload, tables.get("extractor")))


def _extracted(record: Record, payload: bytes, chosen: Any) -> str | None:
    """Return the text that the run's extractor takes from a page; None where it takes none, or is not installed."""
    parameters = dict(chosen) if isinstance(chosen, dict) else {"name": "blocks"}
    name = str(parameters.pop("name", ""))
    try:
        extractor = build(extractor_named(name), parameters, f"extractor {name}")
        return text_of_page(record, payload, extractor, {}, {})
    except (CurationError, NoPage):
        return None
