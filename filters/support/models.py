"""Open the file of a model: it is mapped into memory and compared with the SHA-256 in its card, and not parsed if that differs.

The card of the model `edu.safetensors` is `edu.json` in the same folder. Workers share the memory pages of the file.

Programs read two facts of a card: the model's SHA-256, and the card's own digest (`card`), over all its other facts, by which a card that
was edited is refused: its figures would be believed. A card without that digest, as earlier versions wrote it, is read. Digests find
accidents and edits, not forgery: whoever writes a model can write its card.
"""

import json
import mmap
from hashlib import sha256
from pathlib import Path

import numpy as np

from curation.arrays import JsonMapping
from curation.errors import InputError
from curation.storage.digests import digest_of
from filters.support.scorer import Scorer

MODEL_ENDING = ".safetensors"
LARGEST_MODEL_BYTES = 1 << 28
LONGEST_CARD_BYTES = 1 << 20


def card_of(path: Path) -> Path:
    """Return the place of a model's card, which holds its SHA-256 and describes its training."""
    return path.with_suffix(".json")


CARD_DIGEST = "card"


def card_digest(card: JsonMapping) -> str:
    """Return the SHA-256 of a card's facts, without the one that holds it."""
    return digest_of({name: value for name, value in card.items() if name != CARD_DIGEST})


def load_model(path: Path) -> tuple[Scorer, str]:
    """Return a model and its SHA-256. Raises InputError if the file is missing, damaged, or not the one in its card, or if the
    card was edited.
    """
    advice = "copy the model and its card again, or train it again with `curate train score`"
    try:
        with card_of(path).open("rb") as stream:
            card = json.loads(stream.read(LONGEST_CARD_BYTES))
            expected = card["sha256"]
            told = card.get(CARD_DIGEST)
            edited = told is not None and told != card_digest(card)
    except OSError as error:
        raise InputError(f"model {path} has no card {card_of(path).name} that can be read ({error.strerror}); {advice}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{card_of(path)} is not a model's card: it has no sha256 that can be read; {advice}") from error
    if edited:
        raise InputError(f"{card_of(path)} is not what was written with its model: a fact in it was changed or damaged; {advice}")
    try:
        if path.stat().st_size > LARGEST_MODEL_BYTES:
            raise InputError(f"model {path} is larger than {LARGEST_MODEL_BYTES >> 20} MiB, as no model of ours is; {advice}")
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
    except OSError as error:
        raise InputError(f"model {path} cannot be read ({error.strerror}); {advice}") from error
    found = sha256(content).hexdigest()
    if found != expected:
        raise InputError(
            f"model {path} is damaged, or not the one its card tells of: its sha256 is {found}, the card's {expected}; {advice}"
        )
    try:
        return Scorer.from_bytes(np.frombuffer(content, np.uint8)), found
    except ValueError as error:
        raise InputError(f"model {path} cannot be used: {error}; {advice}") from error
