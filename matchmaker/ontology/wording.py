"""Words as they are compared: without case, accents and signs; without an ending; with a slip of the finger.

Knows no ontology. The same folding serves names and what is typed, so the two cannot drift apart.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")  # a letter may carry its accents behind it
_ASCII_WORD = re.compile("[a-z0-9]+")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_LEAST = 4  # letters of a word that may hold a slip, or have a plural
_MOST = 24
_LONG_PLURALS = ("shes", "ches", "xes", "sses")
_FRESH = 20_000


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each word of a text, folded, with its start and end in the text."""
    for match in _WORD.finditer(text):
        if folded := _folded(match[0]):
            yield folded, match.start(), match.end()


def words(text: str) -> list[str]:
    """Return the folded words of a text: lower case, no accents, no signs."""
    if text.isascii():  # most names: the same, a few times faster
        return _ASCII_WORD.findall(text.lower())
    return [word for word, _start, _end in spans(text)]


@lru_cache(maxsize=_FRESH)
def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", word.casefold())))


@lru_cache(maxsize=_FRESH)
def stem(word: str) -> str:
    """Return a folded word without the commonest endings of a plural: seizures, convulsiones, Anfälle, anomalies.

    No linguistics: it errs on the side of leaving a word alone. Both sides of a comparison go through it.
    """
    if word.endswith(_LONG_PLURALS):
        word = word[:-2]
    elif len(word) >= _LEAST and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > _LEAST + 1 and word.endswith("e"):
        word = word[:-1]
    return f"{word[:-1]}i" if len(word) > _LEAST and word.endswith("y") else word


class Vocabulary:
    """The words of a language, sorted: which of them begin so, and which one may have meant."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = sorted(known)

    def begins(self, prefix: str) -> bool:
        """Tell whether any word begins so."""
        place = bisect_left(self._known, prefix)
        return place < len(self._known) and self._known[place].startswith(prefix)

    def meant(self, typed: str, limit: int = 8) -> list[str]:
        """Return beginnings of words that are one slip away from what was typed: a letter more, less, other, swapped.

        A word that is one itself stands alone. Words of under 4 or over 24 letters hold no slips.
        """
        if self.begins(typed):
            return [typed]
        if not _LEAST <= len(typed) <= _MOST:
            return []
        return list(dict.fromkeys(filter(self.begins, self._slips(typed))))[:limit]

    def _slips(self, typed: str) -> Iterator[str]:
        """Yield the slips, late ones first. What stands before a slip is right: it must begin a word."""
        first = next(at for at in range(1, len(typed) + 1) if not self.begins(typed[:at]))
        for at in range(first - 1, -1, -1):
            head, tail = typed[:at], typed[at:]
            if tail[1:]:
                yield head + tail[1] + tail[0] + tail[2:]
            yield from (head + letter + tail[1:] for letter in _ALPHABET if tail)
            yield from (head + letter + tail for letter in _ALPHABET)
            if tail:
                yield head + tail[1:]
