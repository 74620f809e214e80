"""What must be true of a node before it makes tasks of a run: it has the driver's code, and it sees the folders that the run needs."""

from functools import lru_cache

from curation.engine.failures import in_one_line
from curation.storage.digests import code_digest
from curation.storage.location import Location
from curation.storage.outages import may_pass


class Misfit(RuntimeError):
    """This machine cannot make a unit as the driver's machine would; another machine may."""


def fault_of_this_node(code: str, needed: tuple[str, ...]) -> str:
    """Return why this node must not make tasks; "" if it may."""
    if code != code_digest():
        return "it runs different code from the driver; install the same version there, or add --runtime-env code"
    for uri in needed:
        fault = _unseen(uri)
        if fault:
            _unseen.cache_clear()
            return fault
    return ""


@lru_cache(maxsize=64)
def _unseen(uri: str) -> str:
    """Return why this node does not see a file; "" if it does, or if its store does not answer at the moment."""
    place = Location.of(uri)
    try:
        if place.facts() is not None:
            return ""
    except OSError as error:
        return "" if may_pass(error) else f"it cannot read {place}: {in_one_line(error)}"
    return f"it does not see {place}; OUT, the inputs and earlier runs must be folders or buckets that all nodes share"
