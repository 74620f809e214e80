"""Slicing: carry words or lines over to a column of some of the texts, instead of finding them again.

Words and lines are arrays with one value per token (or line), split into texts by `offsets`; positions count from their own text's start.
So a text has the same values in any column that contains it, and the words of some texts are concatenated slices of the arrays.

Invariant: the carried values equal those that would be found again, in every array.
"""

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from curation.arrays import Array, Flags, Integers
from curation.text.column import TextColumn, offsets_of

_Found = TypeVar("_Found")


def slices(values: Array, offsets: Integers, stays: Flags) -> Array:
    """Return the concatenated values of the texts that stay: text i has values[offsets[i]:offsets[i + 1]]."""
    edges = np.flatnonzero(np.diff(stays, prepend=False, append=False))
    pieces = [values[offsets[first] : offsets[last]] for first, last in zip(edges[::2], edges[1::2], strict=True)]
    return np.concatenate([values[:0], *pieces])


def carry(found: _Found, stays: Flags, column: TextColumn) -> _Found:
    """Return the words or lines of the texts that stay, which `column` holds, including cached properties (folded forms).

    `found` is a dataclass with `offsets`; each of its other fields is the column's `data` or `text_offsets`, or has one value per token.
    Raises TypeError for any other field.
    """
    offsets = found.offsets  # type: ignore[attr-defined]
    known = {"data": column.data, "text_offsets": column.offsets, "offsets": offsets_of(np.diff(offsets)[stays])}
    fields = {}
    for field in dataclasses.fields(found):  # type: ignore[arg-type]
        values = getattr(found, field.name)
        if field.name not in known and not _is_one_a_token(values, offsets):
            raise TypeError(f"{type(found).__name__}.{field.name} does not have one value per token, so it cannot be sliced by text")
        fields[field.name] = known[field.name] if field.name in known else slices(values, offsets, stays)
    carried = type(found)(**fields)
    for name, values in already_found(found):
        if _is_one_a_token(values, offsets):
            vars(carried)[name] = slices(values, offsets, stays)
    return carried


def already_found(holder: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each cached property that was computed."""
    for name, value in vars(holder).items():
        if isinstance(getattr(type(holder), name, None), cached_property):
            yield name, value


def _is_one_a_token(values: Any, offsets: Integers) -> bool:
    return isinstance(values, np.ndarray) and values.shape == (offsets[-1],)
