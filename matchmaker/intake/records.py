"""A file -> its JSON records, one at a time: one record, a list of them, or one a line; gzip or plain.

Knows the shape of files only, not what a record says.
"""

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from matchmaker.mme.errors import Problem, RequestError
from matchmaker.mme.strict_json import Json, inspect, read

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
    """One file being read. `done` and `size` are bytes on disk, for a progress bar.

    With `content` the file is what was read of it elsewhere, and `path` its name alone.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self.path = path
        self._content = content
        self._raw: io.BufferedReader | None = None
        if content is not None:
            self.size = len(content)
        else:
            self.size = path.stat().st_size if path.is_file() else 0

    @property
    def done(self) -> int:
        """Return how many bytes of the file were read so far."""
        return self._raw.tell() if self._raw and not self._raw.closed else self.size

    def __iter__(self) -> Iterator[Record | Unreadable]:
        """Yield the records; what cannot be read is yielded as such, and reading goes on where it can."""
        try:
            with self._open() as raw:
                self._raw = raw
                yield from self._read(raw)
        except OSError as error:
            yield Unreadable("", (Problem("", f"cannot be read: {error.strerror or error}"),))

    def _open(self) -> io.BufferedReader:
        return self.path.open("rb") if self._content is None else io.BufferedReader(io.BytesIO(self._content))

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


def records_in(text: str, path: Path) -> RecordFile:
    """Return a text that came as a file of this name, to be read as a file is; nothing is opened."""
    return RecordFile(path, text.encode("utf-8", "surrogatepass"))  # what is no text is then told as in any file


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
    else:
        second = file.readline()
        if by_line or _is_record(first):
            yield from _lines(number, chain([first, second], file))
        else:
            yield from _whole(number, b"".join([first, second, file.read()]), lines_likely=_is_record(second))


def _is_record(line: bytes) -> bool:
    """Tell whether a line is a whole JSON object, so that the other lines will be, too."""
    text = line.strip()
    return text.startswith(b"{") and text.endswith(b"}") and isinstance(next(_parsed("", text)), Record)


def _whole(number: int, content: bytes, *, lines_likely: bool) -> Iterator[Record | Unreadable]:
    """Yield what a file is as one JSON text; or line by line, if it is none and only its first line may be bad."""
    records = list(_parsed("", content))
    if lines_likely and records and isinstance(records[0], Unreadable):
        yield from _lines(number, content.splitlines(keepends=True))
    else:
        yield from records


def _lines(number: int, lines: Iterable[bytes]) -> Iterator[Record | Unreadable]:
    for line in lines:
        if line.strip():
            yield from _parsed(f"line {number}", line)
        number += 1


def _parsed(position: str, content: bytes) -> Iterator[Record | Unreadable]:
    """Yield the record, or the items of a list, each checked by itself."""
    try:
        value = read(content, _MAX_DEPTH)
    except RequestError as error:
        yield Unreadable(position, error.problems)
        return
    if isinstance(value, list):
        for number, item in enumerate(value, 1):
            place = ", ".join(part for part in (position, f"item {number}") if part)
            yield _checked(place, item)
    else:
        yield _checked(position, value)


def _checked(position: str, value: Json) -> Record | Unreadable:
    try:
        inspect(value, "", _MAX_DEPTH)
    except RequestError as error:
        return Unreadable(position, error.problems)
    return Record(position, value)
