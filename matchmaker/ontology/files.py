"""Replacing a file whole: a reader sees the old content or the new, never a half."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = ".part"


def replace_file(path: Path, content: bytes | Iterable[bytes | memoryview], mode: int = 0o644) -> None:
    """Write `content`, whole or in pieces, beside `path` and move it there.

    Errors: OSError; the old file then stands unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines((content,) if isinstance(content, bytes) else content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sync_directory(directory: Path) -> None:
    """Return when a directory's entries are on disk: a new file outlives a loss of power by them. Errors: OSError."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_halves(path: Path) -> None:
    """Remove what processes that were killed while replacing `path` left beside it."""
    for half in path.parent.glob(f".{path.name}.*{_SUFFIX}"):
        half.unlink(missing_ok=True)
