"""Arrays in one file that can be mapped into memory: the safetensors format, read with suspicion.

Source: https://github.com/huggingface/safetensors. Eight bytes give the length of a JSON head (little-endian); the head gives each array's
kind, shape and place; then come the arrays, end to end. Nothing is ever executed or unpacked, so a file costs no more than its size, and
workers that map one file share its memory. We write every array at a multiple of eight bytes, the widest first.

Invariants
    - The same arrays and words give the same bytes.
    - Every length is checked against the file's size before it is used; the arrays are read-only views of the given bytes.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.arrays import Array, Bytes

Arrays = Mapping[str, Array]

_KINDS = {
    "F64": np.float64, "I64": np.int64, "U64": np.uint64, "F32": np.float32, "I32": np.int32, "U32": np.uint32,
    "U16": np.uint16, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
}  # fmt: skip
_NAMES = {np.dtype(kind): name for name, kind in _KINDS.items()}
_WORDS = "__metadata__"
_ALIGNED = 8
_LONGEST_HEAD = 1 << 20
_MOST_DIMENSIONS = 3


def to_tensors(arrays: Arrays, words: Mapping[str, str]) -> bytes:
    """Return a file of arrays, and of words about them."""
    head: dict[str, Any] = {_WORDS: dict(sorted(words.items()))}
    contents = []
    place = 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        content = np.ascontiguousarray(arrays[name]).tobytes()
        head[name] = {"dtype": _NAMES[arrays[name].dtype], "shape": list(arrays[name].shape), "data_offsets": [place, place + len(content)]}
        contents.append(content)
        place += len(content)
    told = json.dumps(head, separators=(",", ":")).encode()
    told += b" " * (-len(told) % _ALIGNED)
    return b"".join([len(told).to_bytes(8, "little"), told, *contents])


def from_tensors(content: Bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a file, as views of its bytes, and the words about them. Raises ValueError for what is no such file."""
    length = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) < 8 or not 2 <= length <= min(_LONGEST_HEAD, len(content) - 8):
        raise ValueError("it has no head")
    try:
        head = json.loads(content[8 : 8 + length].tobytes())
    except (ValueError, RecursionError) as error:
        raise ValueError("its head is not JSON") from error
    if not isinstance(head, dict):
        raise ValueError("its head is not a JSON object")
    words = head.pop(_WORDS, {})
    if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
        raise ValueError("its head's words are not text")
    data = content[8 + length :]
    arrays = {name: _array(name, entry, data) for name, entry in head.items()}
    if sum(array.nbytes for array in arrays.values()) != len(data):
        raise ValueError("its arrays are not all of its bytes")
    return arrays, words


def _array(name: str, entry: Any, data: Bytes) -> Array:
    try:
        kind, shape, (begin, end) = np.dtype(_KINDS[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its head does not say what {name[:40]!r} is") from error
    whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in (*shape, begin, end))
    if not whole or len(shape) > _MOST_DIMENSIONS or not begin <= end <= len(data) or math.prod(shape) * kind.itemsize != end - begin:
        raise ValueError(f"{name[:40]!r} is said to be {str(shape)[:40]} of {kind}, which its bytes are not")
    array = data[begin:end].view(kind).reshape(shape)
    if not array.flags.aligned:
        raise ValueError(f"{name[:40]!r} does not lie at a multiple of its {kind.itemsize} bytes")
    return array
