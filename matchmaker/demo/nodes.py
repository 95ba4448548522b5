"""Two nodes for the demo: each its own data directory, its own process, its own port."""

import asyncio
import contextlib
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import aiohttp

from matchmaker.exchange.assembly import REAL_WORLD, open_store
from matchmaker.exchange.config import Config, child_environment, load_config
from matchmaker.exchange.loading import Also, Telling, load_files
from matchmaker.exchange.reference import load_knowledge
from matchmaker.exchange.signing_in import SigningIn
from matchmaker.genome.genes import GeneTable
from matchmaker.intake.patients import Reading
from matchmaker.intake.records import RecordFile
from matchmaker.records.party import Client, Peer, Role, token_digest
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Store

DATA = Path(str(resources.files("matchmaker.demo") / "data"))
ARCHIVE = "archive"  # the owner of the published cases
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


class DemoFailed(Exception):
    """The demo cannot go on. The message says why."""


@dataclass(frozen=True)
class DemoNode:
    """A node of the demo: `token` is its hospital's, `peer_token` the one that the other node asks with.

    `archive_token` is that of the owner of the published cases. `doctor` looks after the node's patients.
    """

    name: str
    country: str
    url: str
    directory: Path
    token: str
    peer_token: str
    archive_token: str
    cases: int
    doctor: str
    institution: str
    password: str

    @property
    def operator(self) -> str:
        """Who runs the node."""
        return f"operator@{self.name}.example"


@dataclass(frozen=True)
class _Plan:
    name: str
    country: str
    port: int
    config: Config
    tokens: dict[str, str]
    doctor: str
    institution: str
    language: str


async def prepare(directory: Path, cache: Path) -> tuple[DemoNode, DemoNode]:
    """Make both nodes' stores: published cases, a hospital's token, and each other as client and peer."""
    ports = _free_ports(2)
    dublin = ("byrne@dublin.example", "Hospital of Dublin", "en")
    madrid = ("garcia@madrid.example", "Hospital of Madrid", "es")
    ireland = _plan("ireland", "IE", ports[0], directory, cache, dublin)
    spain = _plan("spain", "ES", ports[1], directory, cache, madrid)
    genes = load_knowledge(ireland.config).genes  # compiles the ontology once, for both
    return await _fill(ireland, spain, genes), await _fill(spain, ireland, genes)


def _plan(name: str, country: str, port: int, directory: Path, cache: Path, doctor: tuple[str, str, str]) -> _Plan:
    config = load_config(None, {"storage.data_dir": directory / name, "ontology.cache_dir": cache}, {})
    tokens = {role: secrets.token_urlsafe(32) for role in ("hospital", "peer", "archive")}
    return _Plan(name, country, port, config, tokens, *doctor)


async def _fill(plan: _Plan, other: _Plan, genes: GeneTable) -> DemoNode:
    store = await open_store(plan.config)
    try:
        reading = Reading(genes, plan.config.node.contact)
        tell = Telling(lambda _done: None, lambda _bad: None, lambda _note: None)
        file = RecordFile(DATA / f"{plan.name}.jsonl.gz")
        now = time.time()
        password = f"demo {secrets.token_hex(8)}"
        people = ((plan.doctor, PersonRole.CLINICIAN), (f"operator@{plan.name}.example", PersonRole.OPERATOR))
        for email, role in people:
            told = {"institution": plan.institution, "language": plan.language, "created_at": now}
            await _let_in(store, Person(email=email, role=role, **told), password, plan.config)
        also = Also(person=plan.doctor)  # nobody searches with the published cases: the story is Martin's
        loaded = await load_files(store, reading, [file], ARCHIVE, Sharing(Circle.ALL), REAL_WORLD, tell, also)
        hospital, neighbour, archive = (token_digest(plan.tokens[role]) for role in ("hospital", "peer", "archive"))
        await store.add_client(Client(ARCHIVE, Role.DEPOSITOR, archive, plan.institution, plan.country, now))
        await store.add_client(Client("hospital", Role.DEPOSITOR, hospital, plan.institution, plan.country, now))
        await store.add_client(Client(other.name, Role.NODE, neighbour, other.institution, other.country, now))
        token_file = plan.config.storage.data_dir / f"{other.name}.token"
        token_file.write_text(other.tokens["peer"], encoding="utf-8")
        token_file.chmod(0o600)
        await store.add_peer(Peer(other.name, _url(other.port), other.country, str(token_file)))
    finally:
        await store.close()
    directory = plan.config.storage.data_dir
    tokens = plan.tokens
    return DemoNode(
        plan.name,
        plan.country,
        _url(plan.port),
        directory,
        tokens["hospital"],
        tokens["peer"],
        tokens["archive"],
        loaded.kept,
        plan.doctor,
        plan.institution,
        password,
    )


async def _let_in(store: Store, person: Person, password: str, config: Config) -> None:
    """Add a person who can sign in, and has accepted the agreement."""
    await store.put_person(person)
    signing_in = SigningIn(config.sign_in, store, None, REAL_WORLD)
    await signing_in.agree(person)
    await signing_in.accept_invitation(await signing_in.invite(person.email), password)
    await store.end_sessions(person.email)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.asynccontextmanager
async def running(nodes: tuple[DemoNode, ...], cache: Path) -> AsyncIterator[None]:
    """Run every node as a process of its own until the block ends. Errors: DemoFailed."""
    processes: list[asyncio.subprocess.Process] = []
    try:
        for node in nodes:
            processes.append(await _start(node, cache))  # noqa: PERF401 - those begun are ended, whatever happens
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(_wait(session, n, p) for n, p in zip(nodes, processes, strict=True)))
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(_ended(process) for process in processes))


async def _start(node: DemoNode, cache: Path) -> asyncio.subprocess.Process:
    settings = {
        "MATCHMAKER_NODE__NAME": node.name,
        "MATCHMAKER_NODE__COUNTRY": node.country,
        "MATCHMAKER_ONTOLOGY__CACHE_DIR": str(cache),
        "MATCHMAKER_SERVER__PUBLIC_URL": node.url,
        "MATCHMAKER_ALERTS__GATHER_SECONDS": "1",
        "MATCHMAKER_MAIL__SENDER": f"matchmaker@{node.name}.example",
        "MATCHMAKER_NODE__DISCLAIMER": "Published cases, for demonstration only.",
    }
    port = node.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "matchmaker", "serve", "--data-dir", str(node.directory), "--port", port]
    log = (node.directory / "log.txt").open("wb")
    try:
        # A session of its own: Ctrl-C reaches the demo first, which then ends its nodes in order.
        return await asyncio.create_subprocess_exec(
            *command, env=child_environment(settings), stdout=log, stderr=log, start_new_session=True
        )
    finally:
        log.close()


async def _wait(session: aiohttp.ClientSession, node: DemoNode, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise DemoFailed(f"the node {node.name} ended at its start; see {node.directory / 'log.txt'}")
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with session.get(f"{node.url}/service-info") as response:
                if response.ok:
                    return
        await asyncio.sleep(0.05)
    raise DemoFailed(f"the node {node.name} did not start within {_START_SECONDS:g} s")


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
