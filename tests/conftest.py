"""Fixtures: the real reference data, read once; nodes on real sockets."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
from aiohttp import ClientSession, web

from matchmaker.exchange import answers
from matchmaker.exchange.assembly import REAL_WORLD, open_exchange, open_store
from matchmaker.exchange.config import Config, load_config
from matchmaker.exchange.reference import load_knowledge
from matchmaker.exchange.service import Exchange
from matchmaker.exchange.world import World
from matchmaker.matching.explanation import Explainer
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import Information
from matchmaker.records.party import Client, Peer, Role, token_digest
from matchmaker.records.person import Person, PersonRole
from matchmaker.store.base import Store
from matchmaker.web.serving import make_runner
from tests.mongod import drop, server
from tests.tiny_world import tiny_knowledge

# No example has a time limit: machines are noisy, and a limit proves no speed.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

Result = TypeVar("Result")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled forms are kept for the whole run, by all of its processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def real_knowledge(cache_dir: Path) -> Iterator[Knowledge]:
    """The knowledge shipped with the node. What explains with it is made once, too: no node changes it."""
    known = load_knowledge(load_config(None, {"ontology.cache_dir": cache_dir}, {}))
    explainer = Explainer(known.ontology, known.information)

    def made(ontology: Ontology, weights: Information) -> Explainer:
        same = ontology is known.ontology and weights is known.information
        return explainer if same else Explainer(ontology, weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "Explainer", made)
        yield known


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The URI of a real MongoDB, a replica set of one, with {} for the name of a database."""
    with server() as uri:
        yield uri


@pytest.fixture
def database_uri(mongodb: str) -> Iterator[str]:
    """The URI of a database of the test's own, dropped after it."""
    uri = mongodb.format(f"test_{secrets.token_hex(8)}")
    yield uri
    drop(uri)


@pytest.fixture(scope="session")
def tiny() -> Knowledge:
    return tiny_knowledge()


@dataclass
class RunningNode:
    """A node on a real socket, with a token for each role."""

    url: str
    exchange: Exchange
    config: Config
    session: ClientSession

    async def add_client(
        self, name: str, role: Role = Role.NODE, country: str | None = None, **agreed: Any
    ) -> dict[str, str]:
        """Add a client; return the header with its token."""
        token = f"token-of-{name}"
        client = replace(Client(name, role, token_digest(token), None, country), **agreed)
        await self._write(lambda store: store.add_client(client))
        return {"X-Auth-Token": token}

    async def add_peer(self, name: str, url: str, country: str = "ES", token: str = "secret", **agreed: Any) -> None:
        token_file = self.config.storage.data_dir / f"{name}.token"
        token_file.write_text(token, encoding="utf-8")
        await self._write(lambda store: store.add_peer(replace(Peer(name, url, country, str(token_file)), **agreed)))

    async def add_person(self, email: str, institution: str = "dublin", language: str = "en", **told: Any) -> None:
        person = Person(email=email, institution=institution, role=PersonRole.CLINICIAN, language=language, **told)
        await self._write(lambda store: store.put_person(person))

    async def read(self, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Read from the node's store as a command beside it does."""
        store = await open_store(self.config)
        try:
            return await work(store)
        finally:
            await store.close()

    def mails(self) -> list[EmailMessage]:
        """The mails that the node has written into its maildir, oldest first."""
        folder = self.config.maildir / "new"
        read = [message_from_bytes(file.read_bytes(), policy=default) for file in folder.glob("*")]
        return sorted((one for one in read if isinstance(one, EmailMessage)), key=lambda one: str(one["Date"]))

    async def _write(self, work: Callable[[Any], Any]) -> None:
        await self.read(work)
        await self.exchange._following.catch_up()  # noqa: SLF001 - what the background loop does, without its wait


StartNode = Callable[..., AbstractAsyncContextManager[RunningNode]]


@pytest.fixture
def start_node(tmp_path: Path, real_knowledge: Knowledge, cache_dir: Path) -> StartNode:
    """Start a node: `async with start_node("ireland", country="IE") as node`."""

    @contextlib.asynccontextmanager
    async def start(
        name: str = "ireland", country: str | None = "IE", world: World = REAL_WORLD, **settings: Any
    ) -> AsyncIterator[RunningNode]:
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        fixed = {"storage.data_dir": tmp_path / name, "node.name": name, "node.country": country}
        fixed |= {"ontology.cache_dir": cache_dir, "searches.on_deposit": False}  # a test says when to search
        fixed |= {"alerts.gather_seconds": 0}
        config = load_config(None, {**fixed, **dotted}, {})
        async with open_exchange(config, world, real_knowledge, 0.1) as exchange, ClientSession() as session:
            runner = make_runner(exchange, shutdown_seconds=1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                yield RunningNode(f"http://127.0.0.1:{runner.addresses[0][1]}", exchange, config, session)
            finally:
                await runner.cleanup()

    return start


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    """One node, Ireland."""
    async with start_node() as running:
        yield running
