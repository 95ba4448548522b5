"""Many processes behind one port: gunicorn starts them, ends them, and starts another one where one dies.

Each worker is a whole node with an event loop of its own; they share nothing but the socket, the store and the kept
index. The first start is done by one process before all others, so that the index is made once.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from matchmaker.exchange.service import Exchange
from matchmaker.web.serving import SHUTDOWN_SECONDS, listening_socket, make_runner, url_of

logger = logging.getLogger(__name__)
_NOTIFY_SECONDS = 1.0
_HANGS_SECONDS = 60  # a worker whose event loop stands still for so long is ended and another one started
_BACKLOG = 2_048
_AGAIN_SECONDS = 5.0

# Opens a node, hands it over, and closes it at the end.
Open = Callable[[Callable[[Exchange], Coroutine[Any, Any, None]]], None]


class StartFailed(Exception):
    """The node could not be started; the process that tried has said why."""


def serve_many(host: str, port: int, workers: int, open_node: Open, ready: Callable[[str], None]) -> None:
    """Serve by `workers` processes until SIGINT or SIGTERM. `ready` is told the URL once the first one answers.

    `open_node` opens a node in the process that calls it and runs what it is given. Errors: CannotListen, StartFailed.
    """
    listening = listening_socket(host, port, _BACKLOG)
    first = multiprocessing.get_context("fork").Process(target=open_node, args=(_nothing,))
    first.start()

    def end(_number: int, _frame: object) -> None:
        first.terminate()
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    first.join()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if first.exitcode:
        raise StartFailed
    url = url_of(host, listening.getsockname()[1])  # now: gunicorn takes the socket over
    _Workers(listening, workers, open_node, lambda: ready(url)).run()


async def _nothing(_exchange: Exchange) -> None:
    """Close the node at once: its index is then kept for all that come after."""


class _Workers(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn runs."""

    def __init__(self, listening: socket.socket, workers: int, open_node: Open, ready: Callable[[], None]) -> None:
        self._settings = {
            "bind": f"fd://{listening.fileno()}",
            "workers": workers,
            "worker_class": _NodeWorker,
            "timeout": _HANGS_SECONDS,
            "graceful_timeout": int(SHUTDOWN_SECONDS) + 5,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        self.open_node = open_node
        self.ready = ready
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        return object()  # gunicorn wants something; a worker opens its node within its own event loop


class _NodeWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """One process of a node."""

    def init_signals(self) -> None:
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def run(self) -> None:
        self.booted = False  # until it listens
        try:
            self.app.open_node(self._serve)
        except SystemExit as ended:
            if ended.code and not self.booted:
                self._give_up()
            raise

    def _give_up(self) -> None:
        """End them all if one of the first cannot start; else wait, and let another one try: the others answer."""
        if self.age <= self.cfg.workers:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        time.sleep(_AGAIN_SECONDS)

    async def _serve(self, exchange: Exchange) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        runner = make_runner(exchange, SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            for listening in self.sockets:
                await web.SockSite(runner, listening.sock, backlog=_BACKLOG).start()
            self.booted = True
            logger.info("worker %d answers", os.getpid())
            if self.age == 1:
                self.app.ready()
            await self._until(stop)
        finally:
            await runner.cleanup()

    async def _until(self, stop: asyncio.Event) -> None:
        """Tell gunicorn that we live, until told to stop or gunicorn itself is gone."""
        while not stop.is_set() and self.ppid == os.getppid():
            self.notify()
            try:
                async with asyncio.timeout(_NOTIFY_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue
