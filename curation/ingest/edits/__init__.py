"""Edits change text: they run at ingest, because the recipe lists them, and count what they did.

An edit is a frozen dataclass in its own file in this folder; the file's name is the edit's name, and no list has to be changed. Its fields
are its parameters. An edit never judges, and a filter never edits.

    apply(text) -> Edited(text, counts)     counts: name -> how often, int64, one value per document

Web text is mostly clean, so every edit first finds the documents that it may have to change, with a kernel over bytes, and touches only
these: `rewritten` copies all others as one run of bytes.

Invariants
    - Idempotent: an edit leaves its own result unchanged, and counts nothing.
    - A document's result depends on its own text only, not on its batch.
    - Valid UTF-8 in, valid UTF-8 out; the number and order of documents stay.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from curation.arrays import Integers
from curation.plugins import Named, shipped, shipped_as
from curation.text.text import Text

Counts = Integers


@dataclass(frozen=True)
class Edited:
    """The texts after an edit, and its counts for each document: name -> int64."""

    text: Text
    counts: Mapping[str, Counts]


@dataclass(frozen=True)
class Edit(Named, ABC):
    """Base class of all edits; see the module's docstring for the contract. The versions of `packages` change the result."""

    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def apply(self, text: Text) -> Edited:
        """Edit a batch."""


def shipped_edits() -> dict[str, type[Edit]]:
    """Return all edits in this folder, by name."""
    return shipped("curation.ingest.edits", Edit)  # type: ignore[type-abstract]


def edit_named(name: str) -> type[Edit]:
    """Return the edit's class. Raises RecipeError with the known names."""
    return shipped_as(name, "curation.ingest.edits", Edit)  # type: ignore[type-abstract]
