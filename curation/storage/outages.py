"""An outage is an error of the store that holds a file: it says nothing about the file, and it may pass.

A parser that meets damaged bytes and a store that does not answer both raise OSError. They need opposite remedies: damaged bytes are
rebuilt, an outage is waited for. An object store's errors are recognised by what its client library writes (Arrow's S3 and GCS clients);
those of a web server are connection errors.

Invariant: an error of a store never becomes CorruptShard, so an outage deletes nothing.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from curation.errors import CorruptShard
from curation.system_errors import error_in_words

_STORE = re.compile(r"AWS Error|google::cloud::Status")
_PASSING = re.compile(
    r"AWS Error (?:NETWORK_CONNECTION|SLOW_DOWN|INTERNAL_FAILURE|SERVICE_UNAVAILABLE|THROTTLING|REQUEST_TIMEOUT)"
    r"|AWS Error UNKNOWN \(HTTP status (?:-1|408|429|5\d\d)\)"
    r"|google::cloud::Status\((?:UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|RESOURCE_EXHAUSTED)"
)


def is_outage(error: BaseException) -> bool:
    """Return whether an error comes from the store, not from the bytes of a file."""
    return isinstance(error, (ConnectionError, TimeoutError)) or (isinstance(error, OSError) and bool(_STORE.search(str(error))))


def may_pass(error: BaseException) -> bool:
    """Return whether the same request may succeed later: an outage that is no refusal. A missing permission or bucket does not pass."""
    return is_outage(error) and (isinstance(error, (ConnectionError, TimeoutError)) or bool(_PASSING.search(str(error))))


@contextmanager
def telling_damage(location: object, part: str = "") -> Iterator[None]:
    """Turn a parser's error into CorruptShard, which names the file and the part of it; an outage stays what it is."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, (FileNotFoundError, PermissionError)) or is_outage(error):
            raise
        raise CorruptShard(f"{location}{part} is damaged ({error_in_words(error)}); the run's command rebuilds it") from error
