"""JSON as a node reads it from strangers: UTF-8, no duplicate keys, no NaN, no endless nesting.

Python's own parser lets much of this pass; what it would swallow is marked while parsing and then found again
with its path, so that every refusal says where.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from matchmaker.mme.errors import InvalidRequest, NotJson, Problem

Json = Any  # what json.loads gives: dict, list, str, int, float, bool, None

MAX_DEPTH = 16
_TOO_DEEP = "nested too many levels deep"
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = re.compile(r'[\[\]{},:"]')
_STRING_END = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_INTEGER_DIGITS = 18  # what fits a signed 64-bit integer


class _Repeated(dict[str, Any]):
    """An object in which a key stood twice; `key` is the first such."""

    key = ""


class _NotANumber:
    """NaN or an infinity, which JSON does not have (RFC 8259, 6)."""

    def __init__(self, text: str) -> None:
        self.text = text


class _TooLong:
    """An integer of too many digits to be any field of ours."""

    def __init__(self, text: str) -> None:
        self.text = text


def parse(body: bytes | str, max_depth: int = MAX_DEPTH) -> Json:
    """Parse one JSON text. Errors: NotJson (400) and InvalidRequest (422), each naming the path."""
    value = read(body, max_depth)
    inspect(value, "", max_depth)
    return value


def read(body: bytes | str, max_depth: int = MAX_DEPTH) -> Json:
    """Parse one JSON text, leaving flaws for `inspect` to find: so one bad part need not lose the whole.

    Errors: NotJson (400); InvalidRequest (422) when it is too deep to parse at all.
    """
    text = body if isinstance(body, str) else _decode(body)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_NotANumber, parse_int=_integer)
    except RecursionError:
        raise InvalidRequest(Problem(_deep_path(text, max_depth), _TOO_DEEP)) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotJson(Problem("", f"not JSON: {error.msg} at {place}")) from None


def read_shallow(body: bytes, max_depth: int) -> Json:
    """As `read`, but what nests deeper than `max_depth` is put by a flaw for `inspect` to find, in its place.

    Errors: NotJson (400), InvalidRequest (422).
    """
    try:
        return read(body, max_depth)
    except InvalidRequest:
        return read(_cut(_decode(body), max_depth), max_depth)


def _cut(text: str, limit: int) -> str:
    """Return the text with every container beyond the limit replaced by NaN; what is never closed ends it."""
    kept: list[str] = []
    depth, start = 0, 0
    for mark, position, end in _marks(text):
        if mark in "[{":
            depth += 1
            if depth == limit + 1:
                kept += [text[start:position], "NaN"]
                start = len(text)
        elif mark in "]}":
            if depth == limit + 1:
                start = end
            depth -= 1
    return "".join([*kept, text[start:]])


def _marks(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (mark, start, end) of each bracket, comma, colon and string, in one pass; a string's mark is a quote.

    An unclosed string ends it: whatever a stranger sends, the time grows with its length only.
    """
    position = 0
    while found := _MARK.search(text, position):
        position = found.end()
        if found[0] == '"':
            closed = _STRING_END.match(text, position)
            if closed is None:
                return
            position = closed.end()
        yield found[0], found.start(), position


def inspect(value: Json, path: str, max_depth: int = MAX_DEPTH) -> None:
    """Raise NotJson or InvalidRequest for the first flaw within `value`, which stands at `path`."""
    for flaw in _flaws(value, path, max_depth):
        raise flaw


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(Problem("", f"not UTF-8 at byte {error.start}; JSON between nodes is UTF-8")) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    repeated = _Repeated(value)
    repeated.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add() is None on purpose
    return repeated


def _integer(digits: str) -> int | _TooLong:
    return int(digits) if len(digits.lstrip("-")) <= _INTEGER_DIGITS else _TooLong(digits)


def _flaws(value: Json, path: str, depth_left: int) -> Iterator[NotJson | InvalidRequest]:
    if isinstance(value, str):
        yield from _flawed_text(value, path)
    elif isinstance(value, dict | list):
        if not depth_left:
            yield InvalidRequest(Problem(path, _TOO_DEEP))
        elif isinstance(value, list):
            for position, item in enumerate(value):
                yield from _flaws(item, f"{path}[{position}]", depth_left - 1)
        else:
            yield from _flawed_object(value, path, depth_left)
    elif isinstance(value, _NotANumber):
        yield NotJson(Problem(path, f"{value.text} is not JSON; give a number or leave the field out"))
    elif isinstance(value, _TooLong) or (isinstance(value, float) and not math.isfinite(value)):
        yield InvalidRequest(Problem(path, "the number is out of range"))


def _flawed_object(value: dict[str, Json], path: str, depth_left: int) -> Iterator[NotJson | InvalidRequest]:
    if isinstance(value, _Repeated):
        yield InvalidRequest(Problem(join(path, printable(value.key)), "the key stands twice in one object"))
    for key, item in value.items():
        if _SURROGATE.search(key):
            yield InvalidRequest(
                Problem(join(path, printable(key)), "the key holds a lone surrogate, which is no text")
            )
        yield from _flaws(item, join(path, printable(key)), depth_left - 1)


def _flawed_text(value: str, path: str) -> Iterator[InvalidRequest]:
    if _SURROGATE.search(value):
        yield InvalidRequest(Problem(path, "holds a lone surrogate, which is no text"))


def join(path: str, key: str) -> str:
    """Return the path of a key within the object at `path`."""
    return f"{path}.{key}" if path else key


def printable(text: str, limit: int = 40) -> str:
    """Return a stranger's text cut and escaped, so that it is safe in a message, a log or a terminal."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return cut.encode("unicode_escape").decode("ascii") if _unsafe(cut) else cut


def _unsafe(text: str) -> bool:
    return any(not (character.isprintable()) for character in text)


def _deep_path(text: str, limit: int) -> str:
    """Walk the brackets of a text too deep to parse, down to the first container beyond the limit."""
    stack: list[str | int] = []
    name = ""
    for mark, start, end in _marks(text):
        if mark == '"':
            name = text[start + 1 : end - 1]
        elif mark in "[{":
            stack.append(0 if mark == "[" else "")
        elif mark in "]}" and stack:
            stack.pop()
        elif mark == "," and stack and isinstance(stack[-1], int):
            stack[-1] += 1
        elif mark == ":" and stack:
            stack[-1] = name
        if len(stack) > limit:
            break
    return _written(stack[:limit])


def _written(steps: list[str | int]) -> str:
    path = ""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else join(path, printable(step))
    return path
