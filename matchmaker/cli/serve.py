"""`matchmaker serve`: a node, until Ctrl-C."""

import gc
import logging
import sys
from typing import Annotated

import typer
import uvloop

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.exchange.assembly import open_exchange
from matchmaker.exchange.config import Config
from matchmaker.web import serving

# Objects made before the youngest are looked through, and how often older ones: an answer makes thousands that hold
# nothing of one another, so that Python's own (700, 10, 10) is looking most of the time.
_GARBAGE = (20_000, 50, 100)
_SWITCH_SECONDS = (
    0.01  # an answer lets go of the interpreter every millisecond or so by itself; to be made to costs more
)


def serve(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(metavar="H", help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Port to listen on [default: 8080].")] = None,
) -> None:
    """Run a node: the Matchmaker Exchange API and the deposits of its own users."""
    settled = configured(config, data_dir, server__host=host, server__port=port)
    logging.basicConfig(
        level=settled.log.level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    uvloop.run(_serve(settled))


async def _serve(config: Config) -> None:
    async with open_exchange(config) as exchange:
        # What was read at the start stays: looking for garbage in it again and again would stop all answers for 0.1 s.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        sys.setswitchinterval(_SWITCH_SECONDS)
        await serving.serve(exchange, lambda url: _ready(config, url))


def _ready(config: Config, url: str) -> None:
    typer.echo(f"{config.node.name} listens on {url}, records in {config.storage.data_dir}; Ctrl-C ends it")
    sys.stdout.flush()
