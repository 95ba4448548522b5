"""A served node with a simulated clock, and askers that count what they are told."""

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from benchmarks.privacy.cases import Published
from matchmaker.exchange.assembly import REAL_WORLD, open_exchange, open_store
from matchmaker.exchange.config import Config, load_config, user_cache_dir
from matchmaker.genome.genes import GeneTable
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.media import media_type
from matchmaker.policy.names import name_for
from matchmaker.records.collection import Collection
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.records.sharing import Circle, Level, Sharing
from matchmaker.store.base import Draft
from matchmaker.web.serving import make_runner

DAY = 86_400.0
START = 1_780_000_000.0
LEVELS = (Level.STANDARD,) * 8 + (Level.MINIMAL, Level.FULL)
ABOVE_STANDARD = ("label", "sex", "ageOfOnset")
_BATCH = 500


@dataclass
class Clock:
    """Simulated seconds since 1970."""

    now: float = START


@dataclass
class Asker:
    """One peer, and what it was told: the public ids of cases, how its questions ended, records beyond their level."""

    name: str
    institution: str
    per_month: int | None
    told: set[str] = field(default_factory=set)
    ends: Counter[int] = field(default_factory=Counter)
    beyond: int = 0

    @property
    def client(self) -> Client:
        """Return the client that it is for the node."""
        made = Client(self.name, Role.NODE, token_digest(f"token of {self.name}"), self.institution, "ES")
        return replace(made, per_month=self.per_month, created_at=START)


@dataclass
class Served:
    """A node under attack."""

    url: str
    session: ClientSession
    clock: Clock
    cases: dict[str, tuple[Published, Level]]  # by public id
    genes: GeneTable
    known: dict[str, dict[str, str]] = field(default_factory=dict)  # of each asker: public ids by its own

    async def ask(self, asker: Asker, patient: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Ask; return the results as (public id, patient), and count."""
        spoken = media_type("1.0")
        headers = {"X-Auth-Token": f"token of {asker.name}", "Content-Type": spoken, "Accept": spoken}
        body = json.dumps({"patient": patient}).encode()
        async with self.session.post(f"{self.url}/match", data=body, headers=headers) as response:
            asker.ends[response.status] += 1
            answer = await response.json(content_type=None)
        names = self.known.setdefault(asker.name, {name_for(asker.name, public): public for public in self.cases})
        found = [(names[result["patient"]["id"]], result["patient"]) for result in answer.get("results", ())]
        for public_id, shown in found:
            asker.told.add(public_id)
            asker.beyond += self._is_beyond(public_id, shown, patient)
        return found

    def _is_beyond(self, public_id: str, shown: dict[str, Any], asked: dict[str, Any]) -> bool:
        """Tell whether a record shows more than its level allows."""
        level = self.cases[public_id][1]
        if level is Level.FULL:
            return False
        genomic = shown.get("genomicFeatures", [])
        more = any(key in shown for key in ABOVE_STANDARD) or any(one.keys() - {"gene"} for one in genomic)
        if level is Level.STANDARD or more:
            return more
        mine = {self.genes.resolve(one["gene"]["id"]).key for one in asked.get("genomicFeatures", ())}
        theirs = {self.genes.resolve(one["gene"]["id"]).key for one in genomic}
        negated = any(feature.get("observed") == "no" for feature in shown.get("features", ()))
        return bool(theirs - mine) or negated or bool(shown.keys() & {"disorders", "inheritanceMode", "species"})


@contextlib.asynccontextmanager
async def served(
    folder: Path, cases: list[Published], askers: list[Asker], knowledge: Knowledge
) -> AsyncIterator[Served]:
    """Serve a node that holds these cases and knows these askers."""
    dotted = {"storage.data_dir": folder, "ontology.cache_dir": user_cache_dir(), "node.country": "IE"}
    quiet = {"node.name": "ireland", "log.level": "ERROR", "searches.on_deposit": False}
    config = load_config(None, {**dotted, **quiet}, {})
    public = await _fill(config, cases, askers)
    clock = Clock()
    world = replace(REAL_WORLD, now=lambda: clock.now)
    async with open_exchange(config, world, knowledge) as exchange, ClientSession() as session:
        runner = make_runner(exchange, shutdown_seconds=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", session, clock, public, knowledge.genes)
        finally:
            await runner.cleanup()


async def _fill(config: Config, cases: list[Published], askers: list[Asker]) -> dict[str, tuple[Published, Level]]:
    """Deposit the cases, one in ten at MINIMAL, one in ten at FULL; return them by public id."""
    store = await open_store(config)
    team = {"name": "Matching team", "href": "mailto:matching@dublin.example"}
    answers = {"legalBasis": "yes", "futureResearch": "yes", "benefitOfOthers": "yes", "dataUse": ["DUO:0000004"]}
    told = {"name": "rare", "institution": "Dublin", "contact": team, **answers}
    await store.put_collection(Collection.model_validate(told))
    public: dict[str, tuple[Published, Level]] = {}
    drafts = []
    for number, case in enumerate(cases):
        level = LEVELS[number % len(LEVELS)]
        draft = Draft(
            "dublin", f"case-{number}", REAL_WORLD.new_id(), Sharing(Circle.ALL, level, collection="rare"), case.patient
        )
        public[draft.public_id] = (case, level)
        drafts.append(draft)
    for at in range(0, len(drafts), _BATCH):
        await store.deposit(drafts[at : at + _BATCH], START)
    for asker in askers:
        await store.add_client(asker.client)
    await store.close()
    return public
