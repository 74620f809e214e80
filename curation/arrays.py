"""Names for the arrays and tables that functions take and return, so that a signature says what is in them.

pyarrow has no types of its own that a checker could read: `Table` and `Column` say to a reader what to a checker is anything.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Hashes: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[Any]
"""A numpy array of any kind of values."""

Table: TypeAlias = Any
"""A `pyarrow.Table`, or one of its record batches."""

Column: TypeAlias = Any
"""A `pyarrow.Array` or `pyarrow.ChunkedArray`."""

Schema: TypeAlias = Any
"""A `pyarrow.Schema`."""
