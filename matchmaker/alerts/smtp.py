"""One message to a mail server. The one place where the SMTP client's errors are translated.

What the server says of the message (5xx to RCPT or DATA) is final; what it says of us, such as that it does not know
our password or sender or relays nothing for us, is the operator's to mend, and the message waits. A connection that
breaks after DATA may have taken the message: it is sent again, with the same Message-ID.
"""

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from matchmaker.alerts.delivery import Delivery, Outcome

DELIVERY_TIMEOUTS = 4  # as many times `timeout_seconds` as one delivery lasts at most
_PERMANENT = range(500, 600)
_LOGIN_WANTED = {530, 535, 538}
_LONGEST_REASON = 300
_IDLE_SECONDS = 10.0  # after which a connection is not used again: the server may be about to end it


class CredentialsUnreadable(Exception):
    """A file of credentials is missing or empty."""


@dataclass(frozen=True)
class MailServerSettings:
    """Where and how to send. `security`: starttls, tls or none; the files hold one line each."""

    host: str
    port: int
    security: str
    sender: str
    username_file: Path | None
    password_file: Path | None
    timeout_seconds: float


class SmtpTransport:
    """Sends over one connection, which is opened when there is something to send. For one task at a time."""

    def __init__(self, settings: MailServerSettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None
        self._used_at = 0.0

    async def deliver(self, message: EmailMessage, recipient: str, name: str) -> Delivery:
        """See Transport. The whole try takes DELIVERY_TIMEOUTS times `timeout_seconds` at most."""
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUTS * self._settings.timeout_seconds):
                client = await self._connected()
                await client.mail(self._settings.sender)
                return await self._hand_over(client, message, recipient)
        except (SMTPException, OSError, TimeoutError, ValueError, CredentialsUnreadable) as error:
            await self.close()
            return Delivery(Outcome.LATER, _said(error))

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: str) -> Delivery:
        try:
            await client.rcpt(recipient)
            await client.data(bytes(message))
        except SMTPResponseException as error:
            await self._begin_anew(client)
            final = error.code in _PERMANENT and not _is_about_us(error)
            return Delivery(Outcome.NEVER if final else Outcome.LATER, _said(error))
        except ValueError as error:  # an address that no mail server can be told
            await self._begin_anew(client)
            return Delivery(Outcome.NEVER, _said(error))
        self._used_at = asyncio.get_running_loop().time()
        return Delivery(Outcome.TAKEN)

    async def _begin_anew(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.rset()
        except (SMTPException, OSError):
            await self.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        idle = asyncio.get_running_loop().time() - self._used_at > _IDLE_SECONDS
        if self._client is not None and (idle or not self._client.is_connected):
            await self.close()
        if self._client is None:
            username, password = await asyncio.to_thread(self._credentials)
            settings = self._settings
            client = aiosmtplib.SMTP(
                hostname=settings.host,
                port=settings.port,
                username=username,
                password=password,
                timeout=settings.timeout_seconds,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
            )
            await client.connect()
            self._client = client
            self._used_at = asyncio.get_running_loop().time()
        return self._client

    def _credentials(self) -> tuple[str | None, str | None]:
        files = (self._settings.username_file, self._settings.password_file)
        username, password = (_line_of(file) if file else None for file in files)
        return username, password

    async def close(self) -> None:
        """See Transport."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _is_about_us(error: SMTPResponseException) -> bool:
    """Tell whether a server refuses not the recipient but us: no login, or no relaying (RFC 3463, 3.8: X.7.X)."""
    return error.code in _LOGIN_WANTED or error.message.lstrip().startswith("5.7.")


def _line_of(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise CredentialsUnreadable(f"{file} cannot be read: {reason}") from None
    if not text:
        raise CredentialsUnreadable(f"{file} is empty")
    return text


def _said(error: Exception) -> str:
    """Return what went wrong, in one line without control characters."""
    code = f"{error.code} " if isinstance(error, SMTPResponseException) else ""
    text = error.message if isinstance(error, SMTPException) else str(error)
    words = " ".join(f"{code}{text}".split()) or type(error).__name__
    return "".join(one if one.isprintable() else "?" for one in words)[:_LONGEST_REASON]
