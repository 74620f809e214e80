"""Push a dataset to the Hugging Face Hub: the files that its manifest names, in one commit.

The Hub stores large files before the commit that names them, so a push that was interrupted uploads only the rest when it is repeated, and
readers see the whole dataset or the one before. Where to log in is the Hub's own matter (HF_TOKEN, or `hf auth login`): no secret is given
on the command line.

Invariants
    - A dataset whose files are not as its manifest says is not pushed.
    - Shards of an earlier push that this dataset does not have are removed in the same commit. A shard that no push of ours made is neither
      removed nor written over: readers of the folder would take it for part of the dataset.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from curation.errors import InputError, Refused, UsageError
from curation.storage.contents import CONTENTS
from curation.storage.location import Location
from curation.storage.ownership import MADE_BY
from curation.storage.records import CorruptRecord
from pipelines.inspect.looking import looks_at_runs
from pipelines.inspect.run_folder import manifest_of
from pipelines.inspect.verify import verify
from pipelines.reexport.folder import FOLDERS

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TARGET = re.compile(r"hf://datasets/(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<branch>[\w./-]+))?/?")
_BESIDE = ("README.md", "manifest.json", "croissant.json", CONTENTS)
"""Files of a dataset that hold no rows."""


@dataclass(frozen=True)
class Pushed:
    """What a push did; `removed` counts shards of an earlier push that this dataset does not have."""

    dataset: str
    commit: str
    files: int
    bytes: int
    removed: int


@looks_at_runs()
def push(folder: str, target: str, *, private: bool = False, message: str = "") -> Pushed:
    """Push the dataset in a folder, or that of a run, to `hf://datasets/ORG/NAME`.

    Raises UsageError for a bad target, InputError where there is no dataset or the Hub cannot be reached, and Refused.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise UsageError(f"{target} is not the name of a dataset on the Hub; write hf://datasets/ORG/NAME")
    dataset = _dataset(folder)
    files = dict(_files(dataset))
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]  # of the client that it uses
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]
    except ModuleNotFoundError as error:
        raise UsageError('pushing needs huggingface_hub: pip install "textbook-curation[hub]"') from error
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        commit, removed = _commit(api, match["name"], match["branch"] or "main", files, private, message or f"Push {dataset.name}")
    except HfHubHTTPError as error:
        raise Refused(f"the Hub refuses {target}: {_told(error)}") from error
    except (OSError, HTTPError, RuntimeError) as error:  # a RuntimeError tells which upload failed, and its cause why
        raise InputError(f"{target} cannot be reached, the same command goes on: {error.__cause__ or error}") from error
    return Pushed(target, commit, len(files), sum(path.stat().st_size for path in files.values()), removed)


def _dataset(folder: str) -> Location:
    """Return the place of a dataset whose files are as they were written."""
    place = Location.of(folder)
    if not place.is_local:
        raise UsageError(f"{folder} is not a local folder; copy it to one first")
    dataset = place if (place / "manifest.json").facts() is not None else place / "dataset"
    if manifest_of(dataset) is None:
        raise InputError(f"{folder} holds no dataset: it has no manifest.json; give a run that has ended, or the --out of an export")
    checked = verify(dataset)
    if checked.faults:
        raise Refused(f"{dataset} is not as it was written: {checked.faults[0]}; see: curate verify {dataset}")
    return dataset


def _files(dataset: Location) -> Iterator[tuple[str, Path]]:
    """Yield the files of a dataset, by their paths in it."""
    content = manifest_of(dataset) or {}
    named = [*_named(content), *(name for name in _BESIDE if (dataset / name).facts() is not None)]
    yield from ((path, Path(dataset.within(path).path)) for path in named)


def _named(manifest: Mapping[str, Any]) -> list[str]:
    """Return the files with rows that a manifest names."""
    entries = [entry for kind in ("shards", "sft", "dpo") for entry in manifest.get(kind, ())]
    return [str(each["file"]) for entry in entries for each in (entry, *entry.get("beside", ()))]


def _commit(api: "HfApi", name: str, branch: str, files: Mapping[str, Path], private: bool, message: str) -> tuple[str, int]:
    """Commit the files; return the commit's address, and how many files of an earlier push it removes."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api.create_repo(name, repo_type="dataset", private=private or None, exist_ok=True)
    if branch != "main":
        api.create_branch(name, branch=branch, repo_type="dataset", exist_ok=True)
    there = [path for path in api.list_repo_files(name, repo_type="dataset", revision=branch) if path.split("/")[0] in FOLDERS]
    ours = _earlier(name, branch) if there else set()
    strangers = sorted(path for path in there if path not in ours and path not in files)
    if strangers:
        raise Refused(
            f"hf://datasets/{name} holds {strangers[0]}, which no push of this program made, but readers would take it for part of the "
            "dataset; remove it there, or choose another name"
        )
    gone = sorted(set(there) - set(files))
    operations: list[CommitOperationAdd | CommitOperationDelete] = [CommitOperationAdd(path, file) for path, file in files.items()]
    operations += [CommitOperationDelete(path) for path in gone]
    made = api.create_commit(name, operations, commit_message=message, repo_type="dataset", revision=branch)
    return str(made.commit_url), len(gone)


def _earlier(name: str, branch: str) -> set[str]:
    """Return the files with rows of an earlier push, as the manifest on the Hub names them; none where it is not ours."""
    try:
        content = manifest_of(Location.of(f"hf://datasets/{name}@{quote(branch, safe='')}")) or {}
        return set(_named(content)) if MADE_BY in content["packages"] else set()
    except (CorruptRecord, KeyError, TypeError, AttributeError):
        return set()


def _told(error: OSError) -> str:
    """Say why the Hub refuses, and what to do about it where that is known."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"it answers {status}; log in with an account that may write there: `hf auth login`, or HF_TOKEN"
    return str(error).splitlines()[0]
