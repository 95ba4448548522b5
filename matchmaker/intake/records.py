"""A file -> its JSON records, one at a time: one record, a list of them, or one a line; gzip or plain.

Knows the shape of files only, not what a record says.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matchmaker.mme.errors import Problem, RequestError
from matchmaker.mme.strict_json import Json, parse

_MAX_DEPTH = 40  # phenopackets with pedigrees and files nest deeper than the exchange's own messages
_CHUNK = 1 << 18
_GZIP_FORMAT = zlib.MAX_WBITS | 16
_GZIP = b"\x1f\x8b"
_LINE_SUFFIXES = {".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record. `position` is for people: `line 12`, `item 3`, or empty when the file is one record."""

    position: str
    value: Json


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record, or a whole file, that is no JSON."""

    position: str
    problems: tuple[Problem, ...]


class RecordFile:
    """One file being read. `done` and `size` are bytes on disk, for a progress bar."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size if path.is_file() else 0
        self._raw: io.BufferedReader | None = None

    @property
    def done(self) -> int:
        """Return how many bytes of the file were read so far."""
        return self._raw.tell() if self._raw and not self._raw.closed else self.size

    def __iter__(self) -> Iterator[Record | Unreadable]:
        """Yield the records; what cannot be read is yielded as such, and reading goes on where it can."""
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                yield from self._read(raw)
        except OSError as error:
            yield Unreadable("", (Problem("", f"cannot be read: {error.strerror or error}"),))

    def _read(self, raw: io.BufferedReader) -> Iterator[Record | Unreadable]:
        if raw.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
            yield from _records(raw, by_line=_says_lines(self.path))
            return
        packed = _Unpacked(raw)
        yield from _records(io.BufferedReader(packed), by_line=_says_lines(self.path))
        if packed.damage:
            yield Unreadable(
                "at its end", (Problem("", f"the gzip file is damaged ({packed.damage}); all before is read"),)
            )


class _Unpacked(io.RawIOBase):
    """A gzip file's content, all of it that can be had: damage ends the content and is told afterwards."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._stream = zlib.decompressobj(_GZIP_FORMAT)
        self._waiting = b""
        self.damage = ""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one step goes; 0 at the end."""
        while not self._waiting and not self.damage:
            if not self._step(self._stream.unconsumed_tail or self._raw.read(_CHUNK)):
                break
        count = min(len(buffer), len(self._waiting))
        buffer[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        return count

    def _step(self, packed: bytes) -> bool:
        if self._stream.eof:  # of one member; another may follow
            packed = self._stream.unused_data + packed
            if not packed:
                return False
            self._stream = zlib.decompressobj(_GZIP_FORMAT)
        elif not packed:
            self.damage = "broken off"
            return False
        try:
            self._waiting = self._stream.decompress(packed, _CHUNK)
        except zlib.error as error:
            self.damage = str(error)
        return True


def _says_lines(path: Path) -> bool:
    return any(suffix in _LINE_SUFFIXES for suffix in path.suffixes[-2:])


def _records(file: io.BufferedReader, *, by_line: bool) -> Iterator[Record | Unreadable]:
    number, first = 1, file.readline().removeprefix(b"\xef\xbb\xbf")
    while first and not first.strip():
        number, first = number + 1, file.readline()
    if not first:
        yield Unreadable("", (Problem("", "holds no records"),))
    elif by_line or _stands_alone(first, file):
        yield from _lines(number, first, file)
    else:
        yield from _whole(first + file.read())


def _stands_alone(line: bytes, rest: io.BufferedReader) -> bool:
    """Tell whether a first line is a record by itself, good or bad, so that the next ones will be, too."""
    text = line.strip()
    if not text.startswith(b"{"):
        return False
    return rest.peek(1).lstrip().startswith(b"{") or isinstance(_parsed("", text), Record)


def _lines(number: int, first: bytes, rest: io.BufferedReader) -> Iterator[Record | Unreadable]:
    line = first
    while line:
        if line.strip():
            yield from _spread(_parsed(f"line {number}", line))
        number, line = number + 1, rest.readline()


def _whole(content: bytes) -> Iterator[Record | Unreadable]:
    yield from _spread(_parsed("", content))


def _spread(parsed: Record | Unreadable) -> Iterator[Record | Unreadable]:
    """Yield the items of a list, or the record itself."""
    if isinstance(parsed, Record) and isinstance(parsed.value, list):
        for number, value in enumerate(parsed.value, 1):
            yield Record(", ".join(part for part in (parsed.position, f"item {number}") if part), value)
    else:
        yield parsed


def _parsed(position: str, content: bytes) -> Record | Unreadable:
    try:
        return Record(position, parse(content, _MAX_DEPTH))
    except RequestError as error:
        return Unreadable(position, error.problems)
