"""The one door to numba: functions over arrays, compiled to machine code that lets other threads run.

Compiled once for a machine and kept beside the source, or in the user's cache; a first run without it takes some
seconds. Numba is imported when the index is: it takes a quarter of a second.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function at its first call. No fast mathematics: figures are those of the plain code."""
    made: Callable[Parameters, Result] = numba.njit(cache=True, nogil=True)(function)
    return made


def compiled_unordered(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """As `compiled`, but a maximum of numbers that are no NaN may be taken in any order: many at once."""
    made: Callable[Parameters, Result] = numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})(function)
    return made


def inlined(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """As `compiled`, copied into whoever calls it: a call that passes arrays costs more than many a short loop."""
    made: Callable[Parameters, Result] = numba.njit(cache=True, nogil=True, inline="always")(function)
    return made
