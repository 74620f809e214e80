"""The folder of an export: where it may be, and which of its files belong to an earlier export and may be replaced or removed.

Until an export ends, a provisional manifest marks its files as ours and unfinished.

Invariant: a file that no manifest in the folder lists is neither overwritten nor deleted.
"""

import json
from collections.abc import Callable, Iterable

from curation.errors import Refused, UsageError
from curation.storage.contents import CONTENTS, reopen
from curation.storage.location import READ_ONLY, TEMPORARY, Location
from curation.storage.ownership import MADE_BY, refuse_inside, write_ours
from curation.storage.records import encode_record

FOLDERS = ("data", "sft", "dpo")
"""The folders below an export that hold shards."""

SCRATCH = f"{TEMPORARY}shuffle"
"""The folder of scattered rows."""


def check_place(run: Location, target: Location) -> None:
    """Raise UsageError if the target is read-only, or is inside a run or a dataset."""
    if target.scheme in READ_ONLY:
        raise UsageError(f"--out {target} is for reading only; name a local folder, s3:// or gs://, and `curate push` it from there")
    if run.path == target.path:
        raise UsageError(f"--out is the run itself ({run}); name another folder")
    if run.holds(target) or target.holds(run):
        raise UsageError(f"--out {target} and the run {run} overlap; choose a folder outside the run")
    refuse_inside(target)


def take_over(target: Location) -> set[str]:
    """Return the shards of an earlier export, as paths below the folder. Raises Refused if there is any other file among them."""
    before = _named_before(target)
    strangers = sorted(path for path in _shards_there(target) if path not in before)
    if strangers:
        raise Refused(
            f"{target / strangers[0]} was not written by an export to this folder, but readers of the folder would take it for part of the "
            "dataset; move it, then give the export's command again"
        )
    return before


def announce(target: Location, files: Iterable[str], tell: Callable[[str], None]) -> None:
    """Mark the files of an export as ours and unfinished."""
    unfinished = {
        "made_by": MADE_BY,
        "unfinished": "the export did not end; give its command again",
        "shards": [{"file": path} for path in sorted(files)],
        "sft": [],
    }
    if (target / CONTENTS).facts() is not None:
        reopen(target, tell)
    write_ours(target / "manifest.json", encode_record(unfinished))


def clear(target: Location, files: Iterable[str]) -> None:
    """Delete shards that an earlier export wrote and this one did not."""
    for path in files:
        (target / path).delete()


def clear_unfinished(target: Location, files: Iterable[str]) -> None:
    """Delete what an interrupted export to this folder left: the temporary files of its shards, and its scratch folder."""
    names = {path.rpartition("/")[2] for path in files}
    for folder in FOLDERS:
        for facts in (target / folder).files():
            name = facts.location.name
            if name.startswith(TEMPORARY) and name.removeprefix(TEMPORARY).partition("-")[2] in names:
                facts.location.delete()
    drop_scratch(target)


def drop_scratch(target: Location) -> None:
    """Delete the scratch folder."""
    scratch = target / SCRATCH
    for facts in scratch.files(recursive=True):
        facts.location.delete()
    if scratch.is_local and scratch.is_folder():
        scratch.filesystem.delete_dir(scratch.path)


def _shards_there(target: Location) -> set[str]:
    names = ((folder, facts.location.name) for folder in FOLDERS for facts in (target / folder).files())
    return {f"{folder}/{name}" for folder, name in names if not name.startswith(".")}


def _named_before(target: Location) -> set[str]:
    """Return the shards that an earlier export's manifest lists; empty when there is no readable manifest."""
    try:
        content = json.loads((target / "manifest.json").read_bytes())
        entries = [entry for kind in ("shards", "sft", "dpo") for entry in content.get(kind, ())]
        files = [str(each["file"]) for entry in entries for each in (entry, *entry.get("beside", ()))]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {path for path in files if path.count("/") == 1 and path.partition("/")[0] in FOLDERS and not path.endswith("/")}
