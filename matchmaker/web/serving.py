"""Listening: an exchange behind one host and port, until told to stop."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable

from aiohttp import web

from matchmaker.exchange.service import Exchange
from matchmaker.web.app import create_app
from matchmaker.web.connection import SERVER_LOGGER, NodeRunner

_MAX_HEADER = 64 * 1024  # bytes: an over-long token is read, so that it is refused as any other
SHUTDOWN_SECONDS = 15.0  # longer than a search with peers takes


class CannotListen(Exception):
    """The host and port cannot be listened on. The message says why, and what to do."""


async def serve(exchange: Exchange, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then let requests under way end. `ready` is told the URL.

    Errors: CannotListen.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = make_runner(exchange, SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        server = exchange.config.server
        await _listen(runner, server.host, server.port)
        ready(url_of(server.host, runner.addresses[0][1]))
        await stop.wait()
    finally:
        await runner.cleanup()


def make_runner(exchange: Exchange, shutdown_seconds: float) -> web.AppRunner:
    """Return what runs a node's HTTP side. aiohttp's own logs are off or cut: they would write ids and bodies."""
    return NodeRunner(
        create_app(exchange),
        access_log=None,
        logger=SERVER_LOGGER,
        max_field_size=_MAX_HEADER,
        shutdown_timeout=shutdown_seconds,
    )


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise _cannot_listen(host, port, error) from None


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens, for processes to share. Errors: CannotListen."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    listening.set_inheritable(True)
    return listening


def _cannot_listen(host: str, port: int, error: OSError) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen(f"port {port} on {host} is in use; choose another with --port")
    reason = error.strerror or str(error)
    return CannotListen(f"cannot listen on {host}, port {port}: {reason}; see --host and --port")


def url_of(host: str, port: int) -> str:
    """Return where a node is reached."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
