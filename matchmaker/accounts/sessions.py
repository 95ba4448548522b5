"""The rules of a browser's session: its token, what forms must carry, when it is over. Pure; kept by others."""

import base64
import hashlib
import hmac
from collections.abc import Callable

_TOKEN_BYTES = 32
_CSRF_LABEL = b"matchmaker csrf"


def new_token(chance: Callable[[int], bytes]) -> str:
    """Return a new token: 256 bits, 43 characters that a cookie or a URL can hold."""
    return base64.urlsafe_b64encode(chance(_TOKEN_BYTES)).rstrip(b"=").decode("ascii")


def digest(token: str) -> str:
    """Return what is kept of a token: SHA-256, hexadecimal. Who reads the store has no session by it."""
    return hashlib.sha256(_bytes(token)).hexdigest()


def csrf_of(token: str) -> str:
    """Return what a form of this session must carry: told by the token, and telling nothing of it.

    HMAC-SHA-256, hexadecimal (OWASP Cross-Site Request Forgery Prevention, HMAC-based token pattern).
    """
    return hmac.digest(_bytes(token), _CSRF_LABEL, hashlib.sha256).hex()


def same(a: str, b: str) -> bool:
    """Tell whether two texts are equal, in a time that does not tell how much of them is. Errors: none."""
    return hmac.compare_digest(_bytes(a), _bytes(b))


def is_over(created_at: float, seen_at: float, now: float, idle_seconds: float, most_seconds: float) -> bool:
    """Tell whether a session is over: idle too long, or too old however busy (NIST SP 800-63B-4, 5.2).

    Also over when the clock went backwards by more than the idle time: nobody knows how long it was idle.
    """
    return not (
        -idle_seconds <= now - seen_at < idle_seconds  # written so that NaN is over, too
        and -idle_seconds <= now - created_at < most_seconds
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
