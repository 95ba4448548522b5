"""Exchange: one running node, as everybody else sees it. The file to read first.

    answer    a peer asks: our best cases that it may learn of
    deposit   an owner hands in a case;  withdraw: takes it back
    search    an owner asks with its case: our own cases, and every peer that may be asked;  preview: what would leave
    report    an owner asks who was told of its case;  questions: who asked and was told of it
    follow_up, choosing   an owner looks after its matches, and says what to be alerted of

Knows no HTTP and no database: what it needs is handed in by assembly.py.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from matchmaker.exchange.answers import Result
from matchmaker.exchange.asking import Asking, Planned
from matchmaker.exchange.catalogue import catalogue
from matchmaker.exchange.choosing import Choosing
from matchmaker.exchange.config import Config
from matchmaker.exchange.depositing import check_deposit, notes_on
from matchmaker.exchange.disclosing import PROMISE_SECONDS, Disclosing
from matchmaker.exchange.follow_up import FollowUp
from matchmaker.exchange.following import Directory, Following
from matchmaker.exchange.match_messages import NodeOutcomes, QuestionList
from matchmaker.exchange.messages import Catalogue, NodePreview, NodeReport, Preview, SearchAnswer
from matchmaker.exchange.metrics import metrics_body
from matchmaker.exchange.noticing import Noticing
from matchmaker.exchange.operating import Operating
from matchmaker.exchange.reporting import Disclosed, known_as, outcomes, questions_told, report_on
from matchmaker.exchange.searching import merge, own_report, peer_report
from matchmaker.exchange.signing_in import SigningIn
from matchmaker.exchange.vocabulary import Vocabulary
from matchmaker.exchange.withdrawals import Withdrawal, WithdrawalLog
from matchmaker.exchange.world import World
from matchmaker.matching.counting import Counts
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.errors import Gone, NotFound, OverBudget, Unauthorised
from matchmaker.mme.messages import MatchResult, Metrics
from matchmaker.mme.patient import Patient
from matchmaker.policy.budget import Bucket, Budget
from matchmaker.policy.consent import Asker
from matchmaker.records.case import Case, key_of
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.records.person import address_of
from matchmaker.records.sharing import Audience, Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import SEARCH, Deposit, Draft, Outcome, Store, StoreBusy

logger = logging.getLogger(__name__)

_MAX_TOKEN = 254  # MME search-api, Security: under 255 characters
_MOST_REFUSED = 10_000  # kinds of refusals that are counted between two looks


@dataclass(frozen=True)
class Parts:
    """What an Exchange is put together from."""

    store: Store
    following: Following
    disclosing: Disclosing
    asking: Asking
    noticing: Noticing
    follow_up: FollowUp
    choosing: Choosing
    withdrawals: WithdrawalLog
    signing_in: SigningIn
    vocabulary: Vocabulary
    operating: Operating


class Exchange:
    """A node. Every method may be called by many tasks at once."""

    def __init__(self, config: Config, parts: Parts, world: World) -> None:
        self.config = config
        self._store = parts.store
        self._following = parts.following
        self._disclosing = parts.disclosing
        self._asking = parts.asking
        self._noticing = parts.noticing
        self.follow_up = parts.follow_up
        self.choosing = parts.choosing
        self.signing_in = parts.signing_in
        self.vocabulary = parts.vocabulary
        self.operating = parts.operating
        self._withdrawals = parts.withdrawals
        self._world = world
        self._budget = Budget(config.budget.queries_per_minute)
        self._buckets: dict[str, Bucket] = {}
        self._refused: Counter[tuple[Happened, str, str]] = Counter()  # since they were last written down
        self._counted: dict[Hashable, tuple[Hashable, tuple[Counts, list[Audience]]]] = {}

    @property
    def store(self) -> Store:
        """The node's records, for those who show them."""
        return self._store

    @property
    def directory(self) -> Directory:
        """Clients, peers, people and collections as they are now."""
        return self._following.directory

    @property
    def knowledge(self) -> Knowledge:
        """What the node scores with."""
        return self._following.current.knowledge

    @property
    def now(self) -> float:
        """The time, in seconds since 1970."""
        return self._world.now()

    async def catch_up(self) -> None:
        """Notice at once what was just written of clients, peers and people."""
        await self._following.catch_up()

    def authenticate(self, token: str | None, role: Role) -> Client:
        """Return the client of a token, if it has this role. Errors: Unauthorised, the same for every cause."""
        client = None
        if token and len(token) <= _MAX_TOKEN:
            client = self._following.directory.clients.get(token_digest(token))
        if client is None or client.role is not role:
            self._refuse(Happened.DENIED, client.name if client else "", f"no token of a {role.value}")
            raise Unauthorised
        return client

    def charge(self, client: Client) -> None:
        """Take one question from a client's budget. Errors: OverBudget."""
        bucket, wait = self._budget.spend(self._buckets.get(client.name), self._world.clock())
        self._buckets[client.name] = bucket
        if wait:
            self._refuse(Happened.REFUSED, client.name, "more questions a minute than are allowed")
            raise OverBudget(wait)

    def _refuse(self, kind: Happened, who: str, detail: str) -> None:
        if len(self._refused) < _MOST_REFUSED:
            self._refused[kind, who, detail] += 1

    async def write_refusals(self) -> None:
        """Write down how often access was refused since this was last done: one line of the ledger for each cause."""
        if not self._refused:
            return
        refused, self._refused = self._refused, Counter()
        now = self._world.now()
        lines = [
            LedgerLine(now, kind, who, detail=f"{detail}: {count} times")
            for (kind, who, detail), count in refused.items()
        ]
        try:
            await self._store.write_ledger(lines)
        except BaseException:
            self._refused.update(refused)
            raise

    async def answer(self, patient: Patient, asker: Client) -> bytes:
        """Answer another node's query with the best cases that it may learn of: a MatchResponse. Asks nobody else.

        Errors: InvalidRequest, OverBudget, where what was agreed with the asker does not allow it.
        """
        return await self._disclosing.answer(patient, asker)

    async def deposit(
        self, owner: Client, patient: Patient, sharing: Sharing, person: str | None = None, family: str | None = None
    ) -> Deposit:
        """Keep a case, new or changed, and queue a search with it; durable when this returns.

        `person` is the address of its owner among the people, `family` what its institution calls the family by.
        Errors: InvalidRequest; Gone, when its id was withdrawn.
        """
        person = address_of(person) if person else None
        check_deposit(owner, patient, sharing, person, self.config.node, self._following)
        work = (SEARCH,) if self.config.searches.on_deposit else ()
        draft = Draft(owner.name, patient.id, self._world.new_id(), sharing, patient, work, person, family)
        (deposit,) = await self._store.deposit([draft], self._world.now())
        if deposit.outcome is Outcome.WITHDRAWN:
            raise Gone("the case was withdrawn; its id is never used again, deposit it under a new one")
        await self._following.take_in(deposit.case)
        return deposit

    def notes(self, patient: Patient, sharing: Sharing) -> tuple[str, ...]:
        """Return what its owner should know of a case: what takes no part in its scores, and who cannot see it."""
        return notes_on(patient, sharing, self.config.node, self._following, self._disclosing.today())

    async def withdraw(self, owner: Client, case_id: str) -> None:
        """Erase a case; nothing of it is told to anybody from when this returns. Errors: NotFound."""
        case = await self.case(owner, case_id)
        now = self._world.now()
        line = Withdrawal(owner.name, case_id, case.public_id, now)
        await asyncio.to_thread(self._withdrawals.append, line)  # first: no backup may ever bring it back
        left = await self._store.withdraw(owner.name, case_id, now)
        if left is None:
            raise _missing(case_id)
        written = self._world.clock()
        await self._following.take_in(left)
        await asyncio.sleep(max(0.0, PROMISE_SECONDS - (self._world.clock() - written)))
        await self._store.notify(left, now)  # also who was told in that very moment

    async def case(self, owner: Client, case_id: str) -> Case:
        """Return an owner's case. Errors: NotFound, for another's case exactly as for a missing one."""
        case = await self._store.case(owner.name, case_id)
        if case is None or case.withdrawn:
            raise _missing(case_id)
        return case

    async def cases(self, owner: Client, after: str, limit: int) -> list[Case]:
        """Return an owner's cases in order of their ids, at most `limit`, from behind the id `after`."""
        return await self._store.cases_of(owner.name, after, limit)

    async def cases_known_as(self, owner: Client, quoted: str) -> list[Case]:
        """Return the owner's case that somebody knows by the id `quoted`, if there is one."""
        case_id = await known_as(self._store, self._following.directory, owner, quoted)
        case = await self._store.case(owner.name, case_id) if case_id is not None else None
        return [case] if case else []

    async def report(self, owner: Client, case_id: str, limit: int, skip: int) -> Disclosed:
        """Return who was told of a case, or asked about it, withdrawn or not; some lines of it. Errors: NotFound."""
        case = await self._store.case(owner.name, case_id)
        if case is None:
            raise _missing(case_id)
        return await report_on(self._store, case, limit, skip)

    async def questions(self, owner: Client, case_id: str | None, limit: int, skip: int) -> QuestionList:
        """Return the questions of other nodes that were told of an owner's cases, latest first. Errors: NotFound."""
        case = await self.case(owner, case_id) if case_id is not None else None
        return await questions_told(self._store, self._following.directory, owner, case, limit, skip)

    async def outcomes(self, owner: Client, case_id: str) -> NodeOutcomes:
        """Return what came of asking each node about a case the last time, and how it stands. Errors: NotFound."""
        case = await self.case(owner, case_id)
        inquiries, healths = await self._store.inquiries_of(case.public_id), await self._store.healths()
        return outcomes(inquiries, healths, self._world.now())

    def plan(self, case: Case, nodes: Sequence[str] | None, genes: Sequence[str] | None) -> Planned:
        """Decide who would be asked about a case, and with what. Errors: InvalidRequest."""
        return self._asking.plan(case, nodes, genes)

    async def preview(
        self, owner: Client, case_id: str, nodes: Sequence[str] | None, genes: Sequence[str] | None
    ) -> Preview:
        """Return exactly what each peer would be sent if the case was searched with. Errors: as `search`."""
        case = await self.case(owner, case_id)
        return Preview(nodes=self._asking.preview(self.plan(case, nodes, genes)))

    def preview_of(self, case: Case) -> tuple[NodePreview, ...]:
        """Return exactly what each peer would be sent of a case as it is handed in, kept or not."""
        return self._asking.preview(self.plan(case, None, None))

    async def queue_search(self, case: Case) -> None:
        """Queue a search with a case in the background, here and at the peers, as a deposit does."""
        await self._store.queue_work([Work(SEARCH, case.public_id, case.revision, self._world.now())])

    async def search(
        self, owner: Client, case_id: str, nodes: Sequence[str] | None, genes: Sequence[str] | None = None
    ) -> SearchAnswer:
        """Search with a case: this node's cases, and the peers in `nodes` (None: all) that may be asked.

        `genes` are those that leave this once, in place of the case's own choice. Errors: NotFound; InvalidRequest when
        `nodes` names one that nobody knows, or `genes` one that the case has not.
        """
        case = await self.case(owner, case_id)
        planned = self.plan(case, nodes, genes)
        async with asyncio.TaskGroup() as group:
            here = group.create_task(self._search_here(case, owner, wanted=planned.here))
            there = group.create_task(self._asking.ask(case, planned))
        (own, report), asked = here.result(), there.result()
        reports = [peer_report(one) for one in asked] + list(planned.not_asked)
        return merge(self.config.node.name, own, asked, (report, *_by_name(reports)))

    async def _search_here(
        self, case: Case, owner: Client, *, wanted: bool
    ) -> tuple[tuple[MatchResult, ...], NodeReport]:
        started = self._world.clock()
        found: tuple[MatchResult, ...] = ()
        if wanted and case.patient:
            results = await self._disclosing.look(
                case.patient, {key_of(case.public_id), key_of(case.patient.id)}, owner
            )
            found = tuple(MatchResult.model_validate_json(result.json) for result in results)
            await self._remember(case, results)
        return found, own_report(self.config.node, len(found), self._world.clock() - started, here=wanted)

    async def _remember(self, case: Case, results: Sequence[Result]) -> None:
        now = self._world.now()
        try:
            may_learn = self._disclosing.may_learn
            found = await asyncio.to_thread(self._noticing.here, case, results, may_learn, now)
            await self._store.record(found)
        except StoreBusy as error:  # who searched is answered all the same; the next search finds it again
            logger.warning("what was found here is not kept: %s", error)

    async def metrics(self, asker: Client | None = None) -> Metrics:
        """Return the numbers of metrics-api, of the cases that the asker may learn of; None: that anybody may."""
        counts, audiences = await self._tally(asker)
        ledger = await self._store.ledger_totals()
        node = self.config.node
        submitters = len({audience.owner for audience in audiences})
        body = metrics_body(counts, submitters, ledger, self.time(self._world.now()))
        return Metrics(metrics=body, disclaimer=node.disclaimer or None, terms=node.terms or None)

    async def _tally(self, asker: Client | None) -> tuple[Counts, list[Audience]]:
        """Count what may be learned of; anew when something has changed."""
        who = Asker.of(asker, self._disclosing.home) if asker else Asker.stranger()
        eligible, changes = self._disclosing.eligible(who, test_query=False), self._following.changes
        known = self._counted.get(asker.name if asker else None)
        if known is None or known[0] != (eligible, changes):
            known = ((eligible, changes), await self._following.tally(eligible))
            self._counted[asker.name if asker else None] = known
        return known[1]

    async def catalogue(self) -> Catalogue:
        """Return every collection, as anybody may see it."""
        return await catalogue(self._following)

    @staticmethod
    def time(seconds: float) -> str:
        """Return seconds since 1970 as ISO 8601, in UTC."""
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _by_name(reports: list[NodeReport]) -> list[NodeReport]:
    return sorted(reports, key=lambda report: report.node)


def _missing(case_id: str) -> NotFound:
    return NotFound(f"there is no case {case_id!r} of yours")
