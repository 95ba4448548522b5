"""open_exchange(config): the one file that knows every concrete class."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence

from matchmaker.exchange import withdrawals
from matchmaker.exchange.asking import Asking
from matchmaker.exchange.config import Config
from matchmaker.exchange.disclosing import Disclosing
from matchmaker.exchange.following import Following
from matchmaker.exchange.places import Directory, Place, configured_place
from matchmaker.exchange.reference import load_knowledge, with_imported
from matchmaker.exchange.retention import keep_no_longer
from matchmaker.exchange.rounds import forever
from matchmaker.exchange.service import Exchange, Parts
from matchmaker.exchange.working import Leases, step
from matchmaker.exchange.world import World
from matchmaker.matching.profile import Knowledge
from matchmaker.peers.client import PeerClient, open_session
from matchmaker.peers.fanout import Fanout
from matchmaker.records.reference import ReferenceFile
from matchmaker.store.base import SWEEP, Store, StoreError
from matchmaker.store.sqlite.adapter import open_sqlite

FOLLOW_EVERY_SECONDS = 0.5  # what other workers and commands write is noticed within two seconds
SAVE_EVERY_SECONDS = 2.0
WORK_EVERY_SECONDS = 1.0
REFUSALS_EVERY_SECONDS = 10.0
PURGE_EVERY_SECONDS = 3_600.0
LEASE_SECONDS = 60.0  # after which another worker takes over what a dead one had begun
SNAPSHOT_NAME = "index.snapshot"
REAL_WORLD = World(now=time.time, clock=time.monotonic, new_id=lambda: secrets.token_hex(16))


@contextlib.asynccontextmanager
async def open_exchange(
    config: Config, world: World = REAL_WORLD, knowledge: Knowledge | None = None
) -> AsyncIterator[Exchange]:
    """Open a node: its store, its knowledge (unless read already), its index; close them at the end.

    Errors: StoreUnusable, StoreBusy, and those of load_knowledge.
    """
    store = await open_store(config)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        made_for = await store.revisions()
        imported = await store.reference()
        if knowledge is None or imported:
            knowledge = effective_knowledge(config, imported)
        snapshot = config.storage.data_dir / SNAPSHOT_NAME
        secret = await store.secret()
        following = Following(store, knowledge, made_for, lambda files: effective_knowledge(config, files), snapshot)
        stack.push_async_callback(following.close)
        peer_client = await stack.enter_async_context(open_peer_client(config))
        fanout = Fanout(config.peers.deadline_seconds, config.peers.concurrency, world.clock)
        await following.open()
        disclosing = Disclosing(config, store, following, secret, world)
        asking = Asking(store, following, disclosing, peer_client, fanout, world)
        log = withdrawals.WithdrawalLog(config.storage.data_dir / withdrawals.FILE_NAME)
        exchange = Exchange(config, Parts(store, following, disclosing, asking, log), world)
        stack.push_async_callback(_last_refusals, exchange)
        leases = Leases(store, world.new_id(), world.now, LEASE_SECONDS)
        rounds = (
            (following.catch_up, FOLLOW_EVERY_SECONDS),
            (following.save, SAVE_EVERY_SECONDS),
            (lambda: step(leases, {SWEEP: lambda _work: store.sweep()}), WORK_EVERY_SECONDS),
            (exchange.write_refusals, REFUSALS_EVERY_SECONDS),
            (lambda: keep_no_longer(store, config.disclosure, world.now()), PURGE_EVERY_SECONDS),
        )
        for one, every in rounds:
            stack.push_async_callback(_end, asyncio.create_task(forever(one, every)))
        yield exchange


def effective_knowledge(config: Config, imported: Sequence[ReferenceFile]) -> Knowledge:
    """Read the reference data: those imported into the store, and the configured ones of other kinds.

    Errors: those of load_knowledge.
    """
    return load_knowledge(with_imported(config, imported))


async def open_store(config: Config) -> Store:
    """Open the configured store, made empty where there is none. Errors: ConfigInvalid, StoreUnusable, StoreBusy."""
    place = configured_place(config.storage)
    if not isinstance(place, Directory):
        config.storage.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return await open_place(place)


async def open_place(place: Place, *, to_fill: bool = False) -> Store:
    """Open the store that lies somewhere. `to_fill`: also one whose filling was broken off.

    Errors: StoreUnusable, StoreBusy.
    """
    if isinstance(place, Directory):
        return open_sqlite(place.path)
    from matchmaker.store.mongo import open_mongo  # noqa: PLC0415 - a driver that a node with SQLite need not load

    return await open_mongo(place.uri, to_fill=to_fill)


@contextlib.asynccontextmanager
async def open_peer_client(config: Config) -> AsyncIterator[PeerClient]:
    """Open what asks peers; close its connections at the end."""
    async with open_session() as session:
        yield PeerClient(session, config.peers.max_answer_bytes)


async def _last_refusals(exchange: Exchange) -> None:
    with contextlib.suppress(StoreError):
        await exchange.write_refusals()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
