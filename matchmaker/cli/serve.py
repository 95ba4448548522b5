"""`matchmaker serve`: a node, until Ctrl-C."""

import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
import uvloop

from matchmaker.cli.known import KNOWN, say
from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.exchange.assembly import open_exchange
from matchmaker.exchange.config import Config
from matchmaker.exchange.places import configured_place
from matchmaker.exchange.service import Exchange
from matchmaker.web import serving

# Objects made before the youngest are looked through, and how often older ones: an answer makes thousands that hold
# nothing of one another, so that Python's own (700, 10, 10) is looking most of the time.
_GARBAGE = (20_000, 50, 100)
# An answer lets go of the interpreter every millisecond or so by itself; to be made to costs more.
_SWITCH_SECONDS = 0.01

Work = Callable[[Exchange], Coroutine[Any, Any, None]]


def serve(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(metavar="H", help="Address to listen on (127.0.0.1)")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Port to listen on (8080)")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="How many processes answer, behind the one port (1)")
    ] = None,
) -> None:
    """Run a node: the Matchmaker Exchange API and the deposits of its own users."""
    settled = configured(config, data_dir, server__host=host, server__port=port, server__workers=workers)
    logging.basicConfig(
        level=settled.log.level, format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    server = settled.server
    if server.workers == 1:
        uvloop.run(_with_node(settled, lambda node: serving.serve(node, lambda url: _ready(settled, url))))
        return
    from matchmaker.web.workers import StartFailed, serve_many  # noqa: PLC0415 - gunicorn, which one process need not load

    try:
        serve_many(
            server.host,
            server.port,
            server.workers,
            lambda work: _in_own_process(settled, work),
            lambda url: _ready(settled, url),
        )
    except StartFailed:
        sys.exit(1)


def _in_own_process(config: Config, work: Work) -> None:
    """Open a node in a process of its own; what goes wrong for a known reason is one line there, too."""
    try:
        uvloop.run(_with_node(config, work))
    except KNOWN as error:
        say(error)
        sys.exit(1)


async def _with_node(config: Config, work: Work) -> None:
    async with open_exchange(config) as exchange:
        # What was read at the start stays: looking for garbage in it again and again would stop all answers for 0.1 s.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        sys.setswitchinterval(_SWITCH_SECONDS)
        await work(exchange)


def _ready(config: Config, url: str) -> None:
    many = f" with {config.server.workers} workers" if config.server.workers > 1 else ""
    typer.echo(f"{config.node.name} listens on {url}{many}, records in {_records(config)}; Ctrl-C ends it")
    sys.stdout.flush()


def _records(config: Config) -> str:
    return str(configured_place(config.storage))
