"""The second factor: codes by time (TOTP, RFC 6238), and recovery codes for who lost the telephone.

Pure: the secret, the time and what was used before are handed in. Secrets are kept by the caller, encrypted if at all.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pyotp
import segno

_SECRET_BYTES = 20  # RFC 4226, 4, R6: 160 bits recommended
_STEP_SECONDS = 30
_DIGITS = 6
_MOST_TEXT = 64  # characters that are looked at, of a code as typed
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # 31, without i, l, o, 0 and 1, which are taken for each other
_CODE_LETTERS = 16  # 79 bits
_CODE_BYTES = 16  # 128 bits of chance, so that the remainders by 31 are even
_GROUP = 4


def new_secret(chance: Callable[[int], bytes]) -> str:
    """Return a new secret, 32 letters of base32. `chance` gives so many bytes that nobody can guess."""
    return base64.b32encode(chance(_SECRET_BYTES)).decode("ascii")


def uri(secret: str, email: str, node: str) -> str:
    """Return the otpauth:// URI by which an authenticator takes the secret in."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=node)


def qr_svg(uri: str) -> str:
    """Return a QR code as inline SVG: black on white whatever the page's colours, with its quiet zone (ISO/IEC 18004).

    No style and no script, so that a strict Content-Security-Policy lets it be; classes are `qr` and `qr-line`.
    Its size comes from the style sheet. Errors: ValueError, when a URI is over some 2,000 characters.
    """
    drawn = segno.make(uri, error="m", micro=False)
    return drawn.svg_inline(border=4, dark="#000", light="#fff", svgclass="qr", lineclass="qr-line", omitsize=True)


def step_of(secret: str, code: str, now: float, last_step: int | None) -> int | None:
    """Return the time step that a code fits, to be kept as `last_step`; None when it fits none, or one used before.

    One step either side is let pass (RFC 6238, 6); a step counts once, and none before it (RFC 6238, 5.2).
    The caller keeps the step in the same transaction that it read the last one in. Errors: ValueError, a broken secret.
    """
    typed = "".join(code.split()) if len(code) <= _MOST_TEXT else ""
    if len(typed) != _DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    current = int(now // _STEP_SECONDS)
    expected = pyotp.TOTP(secret)
    steps = [step for step in (current - 1, current, current + 1) if step >= 0]
    fitting = [step for step in steps if hmac.compare_digest(expected.generate_otp(step), typed)]
    # The latest of two that share a code: the other would let it be used again.
    fresh = [step for step in fitting if last_step is None or step > last_step]
    return max(fresh, default=None)


def new_recovery_codes(chance: Callable[[int], bytes], count: int = 10) -> tuple[str, ...]:
    """Return so many codes like k7qf-2m9x-ab3d-w8yz, 79 bits each: shown once, kept as digests, each good once."""
    return tuple(_recovery_code(chance(_CODE_BYTES)) for _ in range(count))


def digest_of(code: str) -> str:
    """Return what is kept of a recovery code: SHA-256, hexadecimal. Capitals, blanks and dashes make no difference.

    79 bits of chance need no slow hash.
    """
    letters = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(letters.encode()).hexdigest()


def _recovery_code(chance: bytes) -> str:
    left, letters = int.from_bytes(chance), ""
    for _ in range(_CODE_LETTERS):
        left, place = divmod(left, len(_LETTERS))
        letters += _LETTERS[place]
    return "-".join(letters[start : start + _GROUP] for start in range(0, _CODE_LETTERS, _GROUP))
