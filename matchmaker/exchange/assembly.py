"""open_exchange(config): the one file that knows every concrete class."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator

from matchmaker.exchange.config import Config
from matchmaker.exchange.following import Following
from matchmaker.exchange.reference import load_knowledge
from matchmaker.exchange.rounds import forever
from matchmaker.exchange.service import Exchange
from matchmaker.exchange.world import World
from matchmaker.matching.profile import Knowledge
from matchmaker.peers.client import PeerClient, open_session
from matchmaker.peers.fanout import Fanout
from matchmaker.store.base import Store
from matchmaker.store.sqlite import open_sqlite

FOLLOW_EVERY_SECONDS = 0.5  # new clients and peers are noticed within two seconds
SAVE_EVERY_SECONDS = 5.0
SNAPSHOT_NAME = "index.snapshot"
REAL_WORLD = World(now=time.time, clock=time.monotonic, new_id=lambda: secrets.token_hex(16))


@contextlib.asynccontextmanager
async def open_exchange(
    config: Config, world: World = REAL_WORLD, knowledge: Knowledge | None = None
) -> AsyncIterator[Exchange]:
    """Open a node: its store, its knowledge (unless read already), its index; close them at the end.

    Errors: StoreUnusable, and those of load_knowledge.
    """
    store = open_store(config)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        knowledge = knowledge or load_knowledge(config)
        following = Following(store, knowledge, config.storage.data_dir / SNAPSHOT_NAME)
        stack.push_async_callback(following.close)
        peer_client = await stack.enter_async_context(open_peer_client(config))
        fanout = Fanout(config.peers.deadline_seconds, config.peers.concurrency, world.clock)
        await following.open()
        rounds = (
            (following.catch_up, FOLLOW_EVERY_SECONDS),
            (following.save, SAVE_EVERY_SECONDS),
            (store.sweep, SAVE_EVERY_SECONDS),
        )
        for step, every in rounds:
            stack.push_async_callback(_end, asyncio.create_task(forever(step, every)))
        yield Exchange(config, store, knowledge, following, peer_client, fanout, world)


def open_store(config: Config) -> Store:
    """Open the configured store, made empty where there is none. Errors: StoreUnusable."""
    return open_sqlite(config.storage.data_dir)


@contextlib.asynccontextmanager
async def open_peer_client(config: Config) -> AsyncIterator[PeerClient]:
    """Open what asks peers; close its connections at the end."""
    async with open_session() as session:
        yield PeerClient(session, config.peers.max_answer_bytes)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
