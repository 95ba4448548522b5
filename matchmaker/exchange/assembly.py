"""open_exchange(config): the one file that knows every concrete class."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from aiohttp import ClientSession

from matchmaker.accounts.oidc import OidcClient, Provider
from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.delivery import Transport
from matchmaker.alerts.links import Links
from matchmaker.alerts.maildir import MaildirTransport
from matchmaker.alerts.smtp import DELIVERY_TIMEOUTS, MailServerSettings, SmtpTransport
from matchmaker.exchange import withdrawals
from matchmaker.exchange.asking import Asking
from matchmaker.exchange.choosing import Choosing
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.disclosing import Disclosing
from matchmaker.exchange.finding import ASK, Finding
from matchmaker.exchange.follow_up import FollowUp
from matchmaker.exchange.following import Following
from matchmaker.exchange.mailing import Mailing
from matchmaker.exchange.noticing import Noticing
from matchmaker.exchange.operating import Operating
from matchmaker.exchange.places import Directory, Place, configured_place
from matchmaker.exchange.reference import load_knowledge, with_imported
from matchmaker.exchange.retention import keep_no_longer
from matchmaker.exchange.rounds import forever
from matchmaker.exchange.service import Exchange, Parts
from matchmaker.exchange.signing_in import SigningIn
from matchmaker.exchange.vocabulary import Vocabulary
from matchmaker.exchange.working import Done, Leases, step
from matchmaker.exchange.world import World
from matchmaker.matching.profile import Knowledge
from matchmaker.peers.client import PeerClient, open_session
from matchmaker.peers.fanout import Fanout
from matchmaker.records.reference import ReferenceFile
from matchmaker.records.work import Work
from matchmaker.store.base import NOTICE, SEARCH, SWEEP, Store, StoreError
from matchmaker.store.kept_matches import MAIL
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
    config: Config,
    world: World = REAL_WORLD,
    knowledge: Knowledge | None = None,
    work_every_seconds: float = WORK_EVERY_SECONDS,
) -> AsyncIterator[Exchange]:
    """Open a node: its store, its knowledge (unless read already), its index; close them at the end.

    `work_every_seconds`: how often its loops look whether there is work.
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
        http = await stack.enter_async_context(open_session())
        peer_client = PeerClient(http, config.peers.max_answer_bytes)
        fanout = Fanout(config.peers.deadline_seconds, config.peers.concurrency, world.clock)
        await following.open()
        searches = config.searches
        noticing = Noticing(config, following)
        disclosing = Disclosing(config, store, following, noticing, secret, world)
        asking = Asking(store, following, disclosing, noticing, peer_client, fanout, world)
        links = Links(config.public_url, secret)
        catalogues = Catalogues(config.alerts.language, config.alerts.catalogues)
        catalogues.of(config.alerts.language)  # a catalogue that cannot be read stops the start
        parts = Parts(
            store,
            following,
            disclosing,
            asking,
            noticing,
            FollowUp(config, store, following, disclosing, noticing, world),
            Choosing(store, following, links, catalogues),
            withdrawals.WithdrawalLog(config.storage.data_dir / withdrawals.FILE_NAME),
            SigningIn(config.sign_in, store, open_provider(config, http, world), world),
            Vocabulary(await asyncio.to_thread(with_imported, config, imported), knowledge),
            Operating(store, following, lambda peer: peer_client.heartbeat(peer, config.peers.deadline_seconds), world),
        )
        exchange = Exchange(config, parts, world)
        stack.push_async_callback(_last_refusals, exchange)
        leases = Leases(store, world.new_id(), world.now, max(LEASE_SECONDS, config.peers.deadline_seconds + 30.0))
        # No delivery lasts longer: else another worker would take the mail over, and send it, too.
        sending = replace(leases, seconds=max(LEASE_SECONDS, DELIVERY_TIMEOUTS * config.mail.timeout_seconds + 30.0))
        finding = Finding(config, store, following, disclosing, asking, noticing, world)
        mailing = Mailing(config, store, following, links, catalogues, world)
        await asyncio.to_thread(mailing.warm_up)
        rounds = (
            (following.catch_up, FOLLOW_EVERY_SECONDS),
            (following.save, SAVE_EVERY_SECONDS),
            (exchange.write_refusals, REFUSALS_EVERY_SECONDS),
            (lambda: keep_no_longer(store, config.disclosure, world.now()), PURGE_EVERY_SECONDS),
            (mailing.forget, PURGE_EVERY_SECONDS),
            (exchange.signing_in.forget, PURGE_EVERY_SECONDS),
            (mailing.gather, work_every_seconds),
            *([(finding.queue_missing, PURGE_EVERY_SECONDS)] if searches.on_deposit else []),
            (lambda: step(leases, {SWEEP: partial(_sweep, store), NOTICE: mailing.notice}), work_every_seconds),
            *([(lambda: step(leases, {SEARCH: finding.search}), work_every_seconds)] if searches.on_deposit else []),
            *[(lambda: step(leases, {ASK: finding.ask}), work_every_seconds)] * searches.at_once,
            *[(_sending(mailing, sending, stack), work_every_seconds) for _ in range(config.mail.at_once)],
        )
        for one, every in rounds:
            stack.push_async_callback(_end, asyncio.create_task(forever(one, every)))
        yield exchange


def open_provider(config: Config, session: ClientSession, world: World) -> OidcClient | None:
    """Return what signs people in at the configured provider; None: there is none. Errors: ConfigInvalid."""
    told = config.sign_in
    if not told.oidc_issuer:
        return None
    try:
        file = told.oidc_client_secret_file
        secret = file.read_text(encoding="utf-8").strip() if file else None
        provider = Provider(told.oidc_issuer, told.oidc_client_id, secret)
    except OSError as error:
        raise ConfigInvalid(f"sign_in.oidc_client_secret_file cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigInvalid(f"sign_in.oidc_issuer: {error}") from None
    return OidcClient(session, provider, f"{config.public_url}/sign-in/provider/back", world.chance, world.now)


async def _sweep(store: Store, _work: Work) -> Done:
    return Done.YES if await store.sweep() else Done.NOT_NOW


def _sending(mailing: Mailing, leases: Leases, stack: contextlib.AsyncExitStack) -> Callable[[], Awaitable[object]]:
    """Return the step of one loop that sends mails, over a connection of its own."""
    transport = open_transport(mailing.config)
    stack.push_async_callback(transport.close)
    return lambda: step(leases, {MAIL: lambda work: mailing.send(work, transport)})


def open_transport(config: Config) -> Transport:
    """Return what delivers mails, as configured."""
    mail = config.mail
    if mail.transport == "maildir":
        return MaildirTransport(config.maildir)
    settings = MailServerSettings(
        mail.host, mail.port, mail.security, mail.sender, mail.username_file, mail.password_file, mail.timeout_seconds
    )
    return SmtpTransport(settings)


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
