"""The one door to numba: functions over arrays, compiled to machine code that lets other threads run.

Compiled once for a machine and kept beside the source, or in the user's cache; without it a first search takes some
seconds more. Numba is imported when the index is: it takes a quarter of a second.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

_HERE = Path(__file__).parent
_BASES = (_HERE / "__pycache__", Path("~/.cache/matchmaker").expanduser())


def _cache_folder() -> str:
    """Return a folder for compiled code, named by all the sources that it was made of; "" where none can be written.

    Numba looks at a function's own file only, and would go on with old constants of other files.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in (*sorted(_HERE.glob("*.py")), _HERE.parent / "ontology" / "information.py"):
        digest.update(source.read_bytes())
    for base in _BASES:
        folder = base / f"compiled-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]  # numba makes its settings as it starts

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function at its first call. No fast mathematics: figures are those of the plain code."""
    return _compiled(function)


def compiled_unordered(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """As `compiled`, but a maximum of numbers that are no NaN may be taken in any order: many at once."""
    return _compiled(function, fastmath={"nnan", "nsz"})


def inlined(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """As `compiled`, copied into whoever calls it: a call that passes arrays costs more than many a short loop."""
    return _compiled(function, inline="always")


def _compiled(function: Callable[Parameters, Result], **how: Any) -> Callable[Parameters, Result]:
    made: Callable[Parameters, Result]
    try:
        made = numba.njit(cache=True, nogil=True, **how)(function)
    except RuntimeError:  # no folder can be written to, neither beside the source nor the user's: compiled every time
        made = numba.njit(nogil=True, **how)(function)
    return made
