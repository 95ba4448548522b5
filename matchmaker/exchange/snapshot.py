"""The index of a node's cases, kept on disk so that a warm start need not make it anew.

A cache and no more: the file names the data that it was made with and the revision of the store that it shows, and one
that is damaged or does not fit is as good as none. It holds health data, as the store does, and lies beside it under
the same permissions. Read by mapping it into memory: what no query asks for is not read.

A line of JSON, padded, then every array of every block as it lies in memory, each at a multiple of 64 bytes.
"""

import fcntl
import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import IO, Any

import numpy as np

from matchmaker.matching.blocks import Block
from matchmaker.ontology.files import replace_file
from matchmaker.records.sharing import Audience, Circle

_FORMAT = 4  # raise it when the arrays, or what they mean, change
_ALIGNED = 64
_CHUNK = 1 << 24


class SnapshotUnreadable(Exception):
    """The file is missing, damaged, or made with other data: as good as none."""


@dataclass(frozen=True)
class Snapshot:
    """Blocks of the index as of a revision of the store, and the audiences that their groups are, from 1."""

    revision: int
    blocks: list[Block]
    groups: list[Hashable]


class Pen:
    """Of all processes that share a data directory, one writes the snapshot: who holds the lock beside it.

    The lock ends with the process, however that ends; then another one takes it up.
    """

    def __init__(self, snapshot: Path) -> None:
        self._path = snapshot.with_suffix(".lock")
        self._file: IO[bytes] | None = None

    def held(self) -> bool:
        """Take the lock if it is free, and tell whether we hold it."""
        if self._file is not None:
            return True
        try:
            file = self._path.open("ab")
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def lay_down(self) -> None:
        """Leave the lock to others."""
        if self._file is not None:
            self._file.close()
            self._file = None


def write_snapshot(path: Path, fingerprint: str, snapshot: Snapshot) -> None:
    """Write a snapshot. Errors: OSError; the old file then stands."""
    head = {
        "format": _FORMAT,
        "fingerprint": fingerprint,
        "revision": snapshot.revision,
        "groups": [_packed(group) for group in snapshot.groups],
        "blocks": [_told(block) for block in snapshot.blocks],
    }
    line = json.dumps({"sha256": _digest(head, _pieces(snapshot.blocks)), **head}).encode()
    line += b" " * (-(len(line) + 1) % _ALIGNED) + b"\n"
    replace_file(path, (piece for pieces in ((line,), _pieces(snapshot.blocks)) for piece in pieces), mode=0o600)


def _told(block: Block) -> list[list[Any]]:
    arrays = ((field.name, getattr(block, field.name)) for field in fields(Block))
    return [[name, array.dtype.str, list(array.shape)] for name, array in arrays]


def _pieces(blocks: Sequence[Block]) -> Iterator[bytes | memoryview]:
    for block in blocks:
        for field in fields(Block):
            array = np.ascontiguousarray(getattr(block, field.name))
            if array.nbytes:  # an empty array has no memory to view
                yield array.reshape(-1).view(np.uint8).data
            yield bytes(-array.nbytes % _ALIGNED)


def _packed(group: Hashable) -> list[Any]:
    if not isinstance(group, Audience):
        raise TypeError(f"a group of a node's index is an audience, not {type(group).__name__}")
    until = group.until.isoformat() if group.until else None
    named = [list(group.countries), list(group.nodes)]
    return [group.owner, group.circle.value, group.test, *named, until, group.collection]


def _group_of(owner: str, circle: str, test: bool, *rest: Any) -> Audience:
    countries, nodes, until, collection = rest
    day = date.fromisoformat(until) if until else None
    return Audience(owner, Circle(circle), test, tuple(countries), tuple(nodes), day, collection)


def read_snapshot(path: Path, fingerprint: str) -> Snapshot:
    """Map a snapshot into memory. Errors: SnapshotUnreadable."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            start = file.tell()
            if (head["format"], head["fingerprint"]) != (_FORMAT, fingerprint):
                raise SnapshotUnreadable("it was made with other data, or by another version")
            mapped = np.memmap(file, np.uint8, mode="r") if start else np.empty(0, np.uint8)
        body = mapped[start:]
        told = head.pop("sha256")
        pieces = (body[at : at + _CHUNK].data for at in range(0, len(body), _CHUNK))
        if _digest(head, pieces) != told:
            raise SnapshotUnreadable("it is damaged")
        groups: list[Hashable] = [_group_of(*group) for group in head["groups"]]
        return Snapshot(int(head["revision"]), list(_unpacked(body, head["blocks"])), groups)
    except FileNotFoundError:
        raise SnapshotUnreadable("it is missing") from None
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        raise SnapshotUnreadable(f"it is damaged ({type(error).__name__})") from None


def _digest(head: dict[str, Any], pieces: Iterable[bytes | memoryview]) -> str:
    """Return the SHA-256 of all that is told, head and arrays."""
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _unpacked(body: np.ndarray[Any, np.dtype[np.uint8]], told: list[list[list[Any]]]) -> Iterator[Block]:
    at = 0
    for arrays in told:
        made: dict[str, Any] = {}
        for name, kind, shape in arrays:
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            made[name] = np.asarray(body[at : at + size]).view(kind).reshape(shape)
            at += size + -size % _ALIGNED
        yield Block(**made)
