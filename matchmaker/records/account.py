"""What lets a person sign in, and who is signed in. Passwords, codes and tokens are kept as digests only."""

from enum import StrEnum
from typing import Any

from matchmaker.records.kept import Record


class Credentials(Record):
    """What a person (by address) signs in with. Times are seconds since 1970.

    `password` is a hash of argon2id; `secret` that of the second factor (RFC 6238), in force once `confirmed`, and
    `last_step` the time step of the last code that was used; `recovery` are SHA-256 digests of codes, each good for
    once. `subject` is "ISSUER SUBJECT" of an OpenID provider. `invitation` is the digest of a link by which a password
    may be set until `invited_until`. `wrong` tries since `wrong_since`.
    """

    email: str
    password: str | None = None
    secret: str | None = None
    confirmed: bool = False
    last_step: int | None = None
    recovery: tuple[str, ...] = ()
    subject: str | None = None
    invitation: str | None = None
    invited_until: float | None = None
    wrong: int = 0
    wrong_since: float = 0.0


class SessionKind(StrEnum):
    """What a session is for: work; or a sign-in that is not done yet."""

    OPEN = "open"
    SECOND_FACTOR = "second factor"  # the password was right
    PROVIDER = "provider"  # the browser was sent to the OpenID provider


class Session(Record):
    """A browser that is signed in, or about to be. Of its token only the SHA-256 is kept. Times: seconds since 1970.

    `attempt` is that of a sign-in with a provider; `onward` the path to go to afterwards.
    """

    digest: str
    email: str
    kind: SessionKind
    created_at: float
    seen_at: float
    attempt: dict[str, Any] | None = None
    onward: str | None = None
