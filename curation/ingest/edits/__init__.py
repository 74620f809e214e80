"""What changes text: edits, which run at ingest because the recipe lists them, and which count what they did.

An edit is a frozen dataclass in a file of its own in this folder; the file's name is the edit's name, and no list needs an edit. Its fields
are its parameters. An edit never judges, and a filter never edits.

    apply(text) -> Edited(text, counts)     counts: name -> how often, int64, one value a document

Web text is mostly clean, so every edit first finds the documents it may have to change with a kernel over bytes, and touches only these:
`rewritten` copies all others as one run of bytes.

Invariants
    - Idempotent: what an edit has edited, it leaves alone, and counts nothing.
    - A document's result depends on its own text only, not on its batch.
    - Valid UTF-8 in, valid UTF-8 out; the number and order of documents stay.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from curation.plugins import Named, shipped, shipped_as
from curation.text.text import Text

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Edited:
    """The texts after an edit, and what was done to each: name -> int64 count a document."""

    text: Text
    counts: Mapping[str, Counts]


@dataclass(frozen=True)
class Edit(Named, ABC):
    """Base of all edits; see the module's docstring for the contract. `packages` are those whose version changes the result."""

    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def apply(self, text: Text) -> Edited:
        """Edit a batch."""


def shipped_edits() -> dict[str, type[Edit]]:
    """Return name -> class of every edit in this folder, by name."""
    return shipped("curation.ingest.edits", Edit)  # type: ignore[type-abstract]


def edit_named(name: str) -> type[Edit]:
    """Return the edit's class. Raises RecipeError that lists what exists."""
    return shipped_as(name, "curation.ingest.edits", Edit)  # type: ignore[type-abstract]
