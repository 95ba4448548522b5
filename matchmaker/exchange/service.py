"""Exchange: one running node, as everybody else sees it. The file to read first.

    answer    a peer asks: our best cases that it may learn of
    deposit   an owner hands in a case;  withdraw: takes it back
    search    an owner asks with its case: our own cases, and every peer that may be asked

Knows no HTTP and no database: what it needs is handed in by assembly.py.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from matchmaker.exchange.answers import Answer
from matchmaker.exchange.config import Config
from matchmaker.exchange.following import Following
from matchmaker.exchange.messages import NodeReport, SearchAnswer
from matchmaker.exchange.metrics import is_available, metrics_body
from matchmaker.exchange.searching import Wanted, merge, own_report, peer_report, plan, without_echoes
from matchmaker.exchange.withdrawals import Withdrawal, WithdrawalLog
from matchmaker.exchange.world import World
from matchmaker.matching.counting import Counts
from matchmaker.mme.errors import Gone, NotFound, OverBudget, Unauthorised
from matchmaker.mme.messages import MatchResult, Metrics
from matchmaker.mme.patient import Patient
from matchmaker.peers.client import PeerClient
from matchmaker.peers.fanout import Asked, Fanout
from matchmaker.policy.budget import Bucket, Budget
from matchmaker.policy.consent import may_learn, outward
from matchmaker.records.case import Audience, Case, Sharing, key_of
from matchmaker.records.ledger import LedgerLine
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.store.base import Deposit, Draft, Outcome, Store

_ATTEMPTS = 3  # at a consistent answer, while cases change
_MAX_TOKEN = 254  # MME search-api, Security: under 255 characters


class Exchange:
    """A node. Every method may be called by many tasks at once."""

    def __init__(
        self,
        config: Config,
        store: Store,
        following: Following,
        peer_client: PeerClient,
        fanout: Fanout,
        withdrawals: WithdrawalLog,
        world: World,
    ) -> None:
        self.config = config
        self._store = store
        self._following = following
        self._peer_client = peer_client
        self._fanout = fanout
        self._withdrawals = withdrawals
        self._world = world
        self._budget = Budget(config.budget.queries_per_minute)
        self._buckets: dict[str, Bucket] = {}
        self._counted: tuple[tuple[int, int], tuple[Counts, int]] | None = None  # at which change, and what

    def authenticate(self, token: str | None, role: Role) -> Client:
        """Return the client of a token, if it has this role. Errors: Unauthorised, the same for every cause."""
        if not token or len(token) > _MAX_TOKEN:
            raise Unauthorised
        client = self._following.directory.clients.get(token_digest(token))
        if client is None or client.role is not role:
            raise Unauthorised
        return client

    def charge(self, client: Client) -> None:
        """Take one question from a client's budget. Errors: OverBudget."""
        bucket, wait = self._budget.spend(self._buckets.get(client.name), self._world.clock())
        self._buckets[client.name] = bucket
        if wait:
            raise OverBudget(wait)

    async def answer(self, patient: Patient, asker: Client) -> bytes:
        """Answer another node's query with the best cases that it may learn of: a MatchResponse. Asks nobody else."""
        found = await self._own_results(patient, asker, {key_of(patient.id)})
        line = LedgerLine(self._world.now(), asker.name, len(found.results), found.genes)
        await self._store.write_ledger(line)
        node = self.config.node
        told = {"disclaimer": node.disclaimer, "terms": node.terms}
        return found.body({name: text for name, text in told.items() if text})

    async def deposit(self, owner: Client, patient: Patient, sharing: Sharing) -> Deposit:
        """Keep a case, new or changed; durable when this returns. Errors: Gone, when its id was withdrawn."""
        draft = Draft(owner.name, patient.id, self._world.new_id(), sharing, patient)
        (deposit,) = await self._store.deposit([draft], self._world.now())
        if deposit.outcome is Outcome.WITHDRAWN:
            raise Gone("the case was withdrawn; its id is never used again, deposit it under a new one")
        await self._following.take_in(deposit.case)
        return deposit

    def notes(self, patient: Patient, sharing: Sharing) -> tuple[str, ...]:
        """Return what its owner should know of a case: what takes no part in its scores, and who cannot see it."""
        notes = self._following.current.knowledge.profile(patient).notes
        if sharing is Sharing.COUNTRY and self.config.node.country is None:
            return (*notes, "this node has no country: what is shared with the country is shown to nobody else")
        return notes

    async def withdraw(self, owner: Client, case_id: str) -> None:
        """Erase a case. Errors: NotFound."""
        case = await self.case(owner, case_id)
        now = self._world.now()
        line = Withdrawal(owner.name, case_id, case.public_id, now)
        await asyncio.to_thread(self._withdrawals.append, line)  # first: no backup may ever bring it back
        left = await self._store.withdraw(owner.name, case_id, now)
        if left is None:
            raise _missing(case_id)
        await self._following.take_in(left)

    async def case(self, owner: Client, case_id: str) -> Case:
        """Return an owner's case. Errors: NotFound, for another's case exactly as for a missing one."""
        case = await self._store.case(owner.name, case_id)
        if case is None or case.withdrawn:
            raise _missing(case_id)
        return case

    async def cases(self, owner: Client, after: str, limit: int) -> list[Case]:
        """Return an owner's cases in order of their ids, at most `limit`, from behind the id `after`."""
        return await self._store.cases_of(owner.name, after, limit)

    async def search(self, owner: Client, case_id: str, nodes: Sequence[str] | None) -> SearchAnswer:
        """Search with a case: this node's cases, and the peers in `nodes` (None: all) that may be asked.

        Errors: NotFound; InvalidRequest when `nodes` names one that nobody knows.
        """
        case = await self.case(owner, case_id)
        directory = self._following.directory
        wanted = plan(case, nodes, self.config.node, sorted(directory.peers.values(), key=lambda peer: peer.name))
        async with asyncio.TaskGroup() as group:
            here = group.create_task(self._search_here(case, owner, wanted))
            there = group.create_task(self._ask_peers(case, wanted))
        (own, report), asked = here.result(), there.result()
        reports = [peer_report(one) for one in asked] + list(wanted.not_asked)
        return merge(self.config.node.name, own, asked, (report, *_by_name(reports)))

    async def metrics(self) -> Metrics:
        """Return the numbers of metrics-api."""
        changes = self._following.changes
        if self._counted is None or self._counted[0] != changes:
            self._counted = (changes, await self._following.tally(is_available))
        ledger = await self._store.ledger_totals()
        generated = self.time(self._world.now())
        node = self.config.node
        body = metrics_body(*self._counted[1], ledger, generated)
        return Metrics(metrics=body, disclaimer=node.disclaimer or None, terms=node.terms or None)

    @staticmethod
    def time(seconds: float) -> str:
        """Return seconds since 1970 as ISO 8601, in UTC."""
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

    async def _own_results(self, patient: Patient, asker: Client, itself: set[int]) -> Answer:
        """Return what the asker is shown; found again, if a case changed meanwhile.

        A patient never matches the cases that it is `itself`, by their keys.
        """
        for _ in range(_ATTEMPTS):
            answer, changed = await self._following.compute(lambda: self._found(patient, asker, itself))
            if not changed:
                break
            await self._following.catch_up()
        return answer

    def _found(self, patient: Patient, asker: Client, itself: set[int]) -> tuple[Answer, bool]:
        """Return the results, without cases that are no more what was scored, and whether there are such.

        Runs in a thread of its own, from the query to the bytes of the answer: each change of threads has its price.
        """
        country, limits = self.config.node.country, self.config.answers

        def eligible(audience: Audience) -> bool:
            return may_learn(asker, audience, country, test_query=patient.test)

        generation = self._following.current  # the same to the end, though another may take its place meanwhile
        profile, hits = generation.search(patient, itself, limits.max_results, eligible, limits.min_score)
        cases = self._store.read_cases([hit.key for hit in hits])
        known = ((hit, cases.get(hit.key)) for hit in hits)
        good = [(hit, case) for hit, case in known if case and case.version == hit.version and eligible(case.audience)]
        return generation.answers.results(profile, good, asker), len(good) < len(hits)

    async def _search_here(
        self, case: Case, owner: Client, wanted: Wanted
    ) -> tuple[tuple[MatchResult, ...], NodeReport]:
        started = self._world.clock()
        found: tuple[MatchResult, ...] = ()
        if wanted.here and case.patient:
            answer = await self._own_results(case.patient, owner, {key_of(case.public_id), key_of(case.patient.id)})
            found = tuple(MatchResult.model_validate_json(result) for result in answer.results)
        return found, own_report(self.config.node, wanted, len(found), self._world.clock() - started)

    async def _ask_peers(self, case: Case, wanted: Wanted) -> list[Asked]:
        patient = outward(case, self._following.current.knowledge.genes)
        asked = await self._fanout.ask_all(wanted.peers, lambda peer: self._peer_client.ask(peer, patient))
        return [without_echoes(one, case.public_id) for one in asked]


def _by_name(reports: list[NodeReport]) -> list[NodeReport]:
    return sorted(reports, key=lambda report: report.node)


def _missing(case_id: str) -> NotFound:
    return NotFound(f"there is no case {case_id!r} of yours")
