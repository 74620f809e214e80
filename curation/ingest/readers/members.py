"""Members: read a compressed stream of gzip members (RFC 1952), Zstandard frames (RFC 8878), bzip2 or xz streams, one after the other.

Crawlers write one member per record, so that a file can be entered anywhere. That also lets a reader continue after damage, at the start of
the next member. Libraries for these formats end silently or give up at the first damage, so the loop over members is here, and a library
only decodes one member.

Two extras of Zstandard are supported: windows of up to 2 GiB (`zstd --long=31`; memory is used only as far as the data refer back), and
dictionaries as in `.warc.zst` files, in a skippable frame before the frames that need them (the WARC-Zstandard specification of the IIPC;
the dictionary may itself be a Zstandard frame).

Invariants
    - A decoder call returns at most READ bytes, whatever its input: memory does not depend on the compression ratio.
    - A break is raised as BrokeOff with the compressed bytes in hand, so that the caller can search them for the next member.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Generator
from typing import Any, Protocol

from backports import zstd

READ = 64 << 10
_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15
_XZ_MEMORY = 1 << 30
_MAX_WINDOW = {int(zstd.DecompressionParameter.window_log_max): 31}
_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
_DICTIONARY_FRAME = b"\x5d\x2a\x4d\x18"
_DICTIONARY = b"\x37\xa4\x30\xec"
_MAX_DICTIONARY = 32 << 20
_ZSTD_HEADER = 18
"""The longest header of a Zstandard frame."""

STARTS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
"""Patterns for the start of a member."""

_NEXT = {**STARTS, "gzip": re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")}
"""Patterns for the start of a member after damage: more bytes, if the format has them, exclude chance matches."""

_LONGEST_START = 10


class BrokeOff(Exception):
    """Raised where compressed data break: the reason, as the name of a rule, and the compressed bytes in hand."""

    def __init__(self, reason: str, detail: str, rest: bytes = b"") -> None:
        """Take the rule's name, what was found, and the compressed bytes in hand."""
        super().__init__(detail)
        self.reason = reason
        self.rest = rest


class ByteFile(Protocol):
    """A source of compressed bytes."""

    def read(self, size: int = -1) -> bytes: ...  # noqa: D102


class _Decoder(Protocol):
    """A decoder of one member, with the interface of bz2, lzma and zstd."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class Deflated:
    """A decoder of one zlib stream or gzip member, with the interface of the others."""

    def __init__(self, window_bits: int = _GZIP) -> None:
        """Begin a member of a format, by zlib's window bits."""
        self._stream = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether all input was consumed."""
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """The bytes after the member."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = READ, /) -> bytes:
        """Return at most `max_length` more bytes."""
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def inflate(head: bytes, file: ByteFile) -> Generator[bytes, None, bytes]:
    """Yield the content of one zlib stream, framed as in RFC 1950 or raw (many servers send raw data as "deflate")."""
    framed = len(head) >= 2 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return (yield from _member(Deflated(_ZLIB if framed else _RAW_DEFLATE), head, file))


def members(kind: str, head: bytes, file: ByteFile) -> Generator[bytes | BrokeOff | None, None, None]:
    """Yield the content of each member, None after each, and a BrokeOff for bytes that are not a member. Zeros after a member are padding.

    Raises BrokeOff if nothing more can be read.
    """
    openers: dict[str, Callable[[], _Decoder]] = {
        "gzip": Deflated,
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    }
    frames = _Frames()
    packed = head
    while packed:
        try:
            if len(packed) < _LONGEST_START:
                packed += file.read(READ)
            if not STARTS[kind].match(packed) and not _is_cut_start(kind, packed):
                raise BrokeOff("corrupt", f"bytes that are no {kind} member follow the last one", packed)
            if kind == "zstd":
                packed = yield from frames.read(packed, file)
            else:
                packed = yield from _member(openers[kind](), packed, file)
            packed = packed or file.read(READ)
        except BrokeOff as broke_off:
            if broke_off.reason == "truncated":
                raise
            yield broke_off
            packed = _next_member(kind, broke_off.rest[1:], file)
        yield None
        while packed and not (packed := packed.lstrip(b"\0")):
            packed = file.read(READ)


def _is_cut_start(kind: str, packed: bytes) -> bool:
    """Return whether the data end within what may be the start of a member."""
    beginnings = {"gzip": (b"\x1f\x8b",), "zstd": (_ZSTD_FRAME,), "bzip2": (b"BZh91AY&SY"[:3],), "xz": (b"\xfd7zXZ\0",)}
    return len(packed) < _LONGEST_START and any(start.startswith(packed[: len(start)]) for start in beginnings[kind])


def _member(decoder: _Decoder, packed: bytes, file: ByteFile) -> Generator[bytes, None, bytes]:
    """Yield the content of one member; return the bytes read past its end. Raises BrokeOff."""
    data = packed
    while not decoder.eof:
        try:
            block = decoder.decompress(data, READ)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, zstd.ZstdError) as error:
            raise BrokeOff(*_told(error), packed) from None
        if block:
            yield block
        data = b""
        if decoder.needs_input and not (block or decoder.eof):
            data = packed = file.read(READ)
            if not data:
                raise BrokeOff("truncated", "the compressed data ends before its end mark")
    return decoder.unused_data


def _told(error: Exception) -> tuple[str, str]:
    """Return the name of a rule for a decoder's error, and a description: sound data may still be unreadable here."""
    if isinstance(error, zstd.ZstdError) and "too much memory" in str(error):
        return "needs_memory", "the data look back further than 2 GiB; compress them again: zstd -d --memory=4096MB | zstd"
    if isinstance(error, lzma.LZMAError) and "usage limit" in str(error):
        return "needs_memory", f"the data need more than {_XZ_MEMORY >> 20} MiB to be decompressed; compress them again: xz -d | xz"
    return "corrupt", f"the data cannot be decompressed: {error}"


def _next_member(kind: str, packed: bytes, file: ByteFile) -> bytes:
    """Return the bytes from the start of the next member on (the file may have more); empty if there is none."""
    while not (start := _NEXT[kind].search(packed)):
        block = file.read(READ)
        if not block:
            return b""
        packed = packed[1 - _LONGEST_START :] + block
    return packed[start.start() :]


class _Frames:
    """Zstandard frames, and the dictionary of the last dictionary frame."""

    def __init__(self) -> None:
        self._dictionary: Any = None

    def read(self, packed: bytes, file: ByteFile) -> Generator[bytes, None, bytes]:
        """Yield the content of a frame; return the bytes read past its end. Raises BrokeOff."""
        while len(packed) < _ZSTD_HEADER and (block := file.read(READ)):
            packed += block
        if packed.startswith(_DICTIONARY_FRAME):
            return self._take_dictionary(packed, file)
        if packed.startswith(_ZSTD_FRAME):
            self._require_dictionary(packed)
        return (yield from _member(zstd.ZstdDecompressor(self._dictionary, _MAX_WINDOW), packed, file))

    def _require_dictionary(self, packed: bytes) -> None:
        try:
            needed = zstd.get_frame_info(packed[:_ZSTD_HEADER]).dictionary_id
        except zstd.ZstdError:
            return
        if needed and (self._dictionary is None or self._dictionary.dict_id != needed):
            raise BrokeOff(
                "needs_dictionary",
                f"the data were compressed with dictionary {needed}, which the file does not hold; decompress it before, "
                "with zstd -d -D DICTIONARY",
                packed,
            )

    def _take_dictionary(self, packed: bytes, file: ByteFile) -> bytes:
        size = int.from_bytes(packed[4:8], "little")
        if size > _MAX_DICTIONARY:
            raise BrokeOff("corrupt", f"a dictionary of {size} bytes, more than {_MAX_DICTIONARY}", packed)
        while len(packed) < size + 8 and (block := file.read(READ)):
            packed += block
        if len(packed) < size + 8:
            raise BrokeOff("truncated", "the compressed data ends within its dictionary")
        content, rest = packed[8 : size + 8], packed[size + 8 :]
        try:
            if content.startswith(_ZSTD_FRAME):
                content = zstd.ZstdDecompressor(options=_MAX_WINDOW).decompress(content, _MAX_DICTIONARY)
            if content.startswith(_DICTIONARY):
                dictionary = zstd.ZstdDict(content)
                zstd.ZstdDecompressor(dictionary)  # this validates it
                self._dictionary = dictionary
        except (zstd.ZstdError, ValueError) as error:
            raise BrokeOff("corrupt", f"the dictionary cannot be read: {error}", rest or b"\0") from None
        return rest
