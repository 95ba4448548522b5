"""A mail server that fails on purpose: a real one on a real socket, with switches that may be turned at any time."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_OK = "250 OK"


def _draw() -> random.Random:
    return random.Random(0)  # noqa: S311 - a draw to be repeated, not to be secret


@dataclass
class MailServer:
    """`received` are the messages that it keeps: to whom, and all of it. An answer of 421 ends the connection.

    The shares are of messages: `refuse_share` gets a 451 to RCPT; after DATA, `drop_share` is lost with its connection,
    and `drop_stored_share` is kept although its connection is lost. `stall_seconds` pass before RCPT is answered.
    `certificate` is a file with its key: for STARTTLS, or for TLS from the first byte.
    """

    host: str = "127.0.0.1"
    port: int = 0
    received: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    mail: str = _OK
    rcpt: str = _OK
    data: str = _OK
    stall_seconds: float = 0.0
    refuse_share: float = 0.0
    drop_share: float = 0.0
    drop_stored_share: float = 0.0
    chance: random.Random = field(default_factory=_draw)

    certificate: Path | None = None
    tls_at_once: bool = False
    credentials: tuple[str, str] | None = None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name, as below
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.credentials and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.mail.startswith("2"):
            envelope.mail_from = address
        return self.mail

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await asyncio.sleep(self.stall_seconds)
        if self.chance.random() < self.refuse_share:
            return "451 4.2.0 not now"
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        drawn = self.chance.random()
        lost = drawn < self.drop_share
        dropped = drawn < self.drop_share + self.drop_stored_share
        if self.data.startswith("2") and not lost:
            content = envelope.original_content or b""
            self.received += [(address, content) for address in envelope.rcpt_tos]
        if dropped and server.transport is not None:
            server.transport.close()
            await asyncio.Event().wait()  # until the end of the connection ends this
        return self.data

    def login(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, told: Any) -> AuthResult:
        known = self.credentials and LoginPassword(*(one.encode() for one in self.credentials))
        return AuthResult(success=told == known, handled=False)


class _Connection(SMTP):
    async def push(self, status: Any) -> None:
        await super().push(status)
        if str(status).startswith("421") and self.transport is not None:
            self.transport.close()

    async def end(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.gather(self._handler_coroutine, return_exceptions=True)


@contextlib.asynccontextmanager
async def mail_server(**switches: Any) -> AsyncIterator[MailServer]:
    """Run a mail server in this event loop: `async with mail_server(rcpt="550 5.1.1 nobody") as server`."""
    server = MailServer(**switches)
    loop = asyncio.get_running_loop()
    tls = None
    if server.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(server.certificate)
    connections: list[_Connection] = []

    def connect() -> _Connection:
        server.connections += 1
        one = _Connection(
            server,
            hostname="mail.example",
            tls_context=None if server.tls_at_once else tls,
            require_starttls=not server.tls_at_once,
            auth_require_tls=False,
            authenticator=server.login,
            auth_exclude_mechanism=() if server.credentials else ("LOGIN", "PLAIN"),
            loop=loop,
        )
        connections.append(one)
        return one

    listening = await loop.create_server(connect, server.host, server.port, ssl=tls if server.tls_at_once else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.gather(*(one.end() for one in connections))
        await listening.wait_closed()
