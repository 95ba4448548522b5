"""Passwords: which are taken, and how they are kept. Knows neither accounts nor where a hash is stored.

Normalised as RFC 8265, 4.2 (OpaqueString) has it: NFC, every blank an ordinary one. Not NFKC: that makes one password
of different ones, and a password is compared, never searched.
"""

import unicodedata
from collections.abc import Container
from functools import cached_property

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

LEAST = 15  # characters: NIST SP 800-63B-4, 3.1.1.2, of a password that is the only factor
MOST = 1_024
_MOST_RAW = 4 * MOST  # before normalisation, which takes its time with endless text; NFC makes one of up to four
_LEAST_DIFFERENT = 5
_LEAST_BESIDE_ADDRESS = 8
_DUMMY = "nobody's password"
_ROWS = ("1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm")


class Passwords:
    """Makes and checks hashes by argon2id. The default is RFC 9106, 4, second recommended option: 64 MiB, t=3, p=4.

    A hash or a check takes some 50 ms and the memory named: call both in a worker thread, few at a time.
    """

    def __init__(self, memory_kib: int = 65_536, time_cost: int = 3) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism=4, hash_len=32, salt_len=16, type=Type.ID)

    @cached_property
    def _dummy(self) -> str:
        """Of an account that does not exist; made when first somebody asks for one."""
        return self._hasher.hash(_DUMMY)

    def hashed(self, password: str) -> str:
        """Return what is kept of a password: a PHC string with its parameters and a salt by the system's chance."""
        return self._hasher.hash(_bytes(password))

    def fits(self, kept: str | None, password: str) -> bool:
        """Tell whether a password is the one kept. Errors: none; what is no hash fits nothing.

        None, for an account that does not exist, takes as long as a wrong password: nobody learns which exist.
        """
        checkable = len(password) <= _MOST_RAW
        matches = self._matches(kept or self._dummy, _bytes(password) if checkable else b"")
        return matches and checkable and bool(kept)

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a hash has other parameters than ours: made anew at the next right password."""
        try:
            return self._hasher.check_needs_rehash(kept)
        except (InvalidHashError, ValueError):
            return True

    def _matches(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError, UnicodeError):
            return False


def problem_of(password: str, email: str, blocked: Container[str] = ()) -> str | None:
    """Return why a password is not taken, one sentence, or None (NIST SP 800-63B-4, 3.1.1.2: no composition rules).

    `blocked` are passwords known to everybody, in lower case.
    """
    if len(password) > _MOST_RAW:
        return f"A password has at most {MOST} characters."
    text = _normalised(password)
    return _problem_of_length(text) or _problem_of_content(text.casefold(), email.strip().casefold(), blocked)


def _problem_of_length(text: str) -> str | None:
    if any(unicodedata.category(character) == "Cs" for character in text):
        return "The password holds a character that is no text."
    if len(text) < LEAST:
        return f"A password has at least {LEAST} characters; this one has {len(text)}. A few words in a row will do."
    if len(text) > MOST:
        return f"A password has at most {MOST} characters; this one has {len(text)}."
    return None


def _problem_of_content(text: str, email: str, blocked: Container[str]) -> str | None:
    if len(set(text)) < _LEAST_DIFFERENT or _repeats(text):
        return "The password repeats a few characters: it is guessed at once."
    if _is_in_a_row(text):
        return "The password is a row of the alphabet or the keyboard: it is guessed at once."
    if email and email in text and len(text.replace(email, "")) < _LEAST_BESIDE_ADDRESS:
        return "The password is your address, or little more: it is guessed at once."
    if text in blocked:
        return "The password is one that many people use: it is guessed at once."
    return None


def _repeats(text: str) -> bool:
    """Tell whether a text is one piece again and again, the piece being too short for a password: it counts once."""
    pieces = (text[:length] for length in range(1, min(LEAST - 1, len(text) // 2) + 1))
    return any((piece * (len(text) // len(piece) + 1)).startswith(text) for piece in pieces)


def _is_in_a_row(text: str) -> bool:
    rows = (row * (len(text) // len(row) + 2) for row in _ROWS)
    return any(text in row or text[::-1] in row for row in rows)


def _normalised(password: str) -> str:
    blanks = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", blanks)


def _bytes(password: str) -> bytes:
    # A lone surrogate is no text, yet must not raise in a check; as a new password it is refused.
    return _normalised(password).encode("utf-8", "surrogatepass")
