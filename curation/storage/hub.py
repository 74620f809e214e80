"""Files of the Hugging Face Hub, for reading: `hf://datasets/ORG/NAME/path`, or `hf://datasets/ORG/NAME@BRANCH/path`.

Source: huggingface_hub's file system for fsspec, which `pip install "textbook-curation[hub]"` brings. A dataset that is not public is read
with the account that `hf auth login` or HF_TOKEN names.

Invariants
    - A file's time is a number made from the hash of its content, so the same content at another commit is the same input.
    - Errors of the client become OSError, as for any other store.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from pyarrow import fs

from curation.errors import UsageError


def hub_files(endpoint: str) -> Any:
    """Return the file system of the Hub at an endpoint; "" is the Hub's own. Raises UsageError where the package is not there."""
    try:
        from huggingface_hub import HfFileSystem
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client that it uses
    except ModuleNotFoundError as error:
        raise UsageError('hf:// needs huggingface_hub: pip install "textbook-curation[hub]"') from error
    return fs.PyFileSystem(_HubHandler(HfFileSystem(endpoint=endpoint or None), (HTTPError, ValueError, NotImplementedError)))


class _HubHandler(fs.FSSpecHandler):  # type: ignore[misc]
    """Arrow's view of the file system: listings that tell contents apart, and errors that name the place."""

    def __init__(self, files: Any, raised: tuple[type[Exception], ...]) -> None:
        super().__init__(files)
        self.get_file_info = _as_os_error(super().get_file_info, raised)
        self.get_file_info_selector = _as_os_error(super().get_file_info_selector, raised)
        self.open_input_stream = _as_os_error(super().open_input_stream, raised)
        self.open_input_file = _as_os_error(super().open_input_file, raised)

    @staticmethod
    def _create_file_info(path: str, info: Mapping[str, Any]) -> Any:
        """Return a file's type, size and time; the time is made from the hash of its content."""
        is_file = info["type"] == "file"
        mark = info.get("blob_id")
        changed = int(mark[:13], 16) if is_file and isinstance(mark, str) else None
        return fs.FileInfo(path, fs.FileType.File if is_file else fs.FileType.Directory, size=info["size"] or 0, mtime_ns=changed)


def _as_os_error(call: Callable[..., Any], raised: Sequence[type[Exception]]) -> Callable[..., Any]:
    @wraps(call)
    def called(*given: Any) -> Any:
        try:
            return call(*given)
        except OSError:
            raise
        except tuple(raised) as error:
            raise OSError(f"the Hub does not give {given[0]}: {error}") from error

    return called
