"""Names for the types that functions take and return, so that a signature says what is in an array, a table or a JSON object.

pyarrow and numba have no types of their own that a checker could read: `Table`, `Column` and `Scalar` say to a reader what to a checker is
anything.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]
Integers32: TypeAlias = npt.NDArray[np.int32]
Unsigned32: TypeAlias = npt.NDArray[np.uint32]
"""Positions from the start of a text, or sizes of its pieces: both below 4 GiB."""

Array: TypeAlias = npt.NDArray[Any]
"""A numpy array of any kind of values."""

Scalar: TypeAlias = Any
"""A number in a kernel, of the type that numba infers: an unsigned one stays unsigned, so that shifts and products are modulo 2^64."""

Table: TypeAlias = Any
"""A `pyarrow.Table`, or one of its record batches."""

Column: TypeAlias = Any
"""A `pyarrow.Array` or `pyarrow.ChunkedArray`."""

Schema: TypeAlias = Any
"""A `pyarrow.Schema`."""

JsonValue: TypeAlias = Any
"""A value as JSON holds it: nothing, a truth value, a number, a text, a list or an object."""

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object that the caller may change."""

JsonMapping: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""
