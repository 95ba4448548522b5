"""Asking peers about a case: what leaves is decided, shown to the owner who wants to see it first, and written down.

A question is a disclosure: its line stands in the ledger before its bytes leave, and none leaves about a case that was
withdrawn meanwhile. What comes of it is kept: how each peer stands, the last outcome about the case, and what matched.
"""

import asyncio
import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from matchmaker.exchange.depositing import gene_problems
from matchmaker.exchange.disclosing import PROMISE_SECONDS, Disclosing
from matchmaker.exchange.following import Following
from matchmaker.exchange.messages import NodePreview, NodeReport
from matchmaker.exchange.noticing import Noticing
from matchmaker.exchange.searching import not_asked, plan, without_echoes
from matchmaker.exchange.world import World
from matchmaker.mme.errors import Changed, Gone, InvalidRequest
from matchmaker.mme.patient import Patient
from matchmaker.peers import breaker
from matchmaker.peers.client import PeerClient, body_for
from matchmaker.peers.fanout import Asked, Fanout
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.policy.account import Account
from matchmaker.policy.consent import as_asker
from matchmaker.policy.levels import contact_of
from matchmaker.policy.names import name_for
from matchmaker.policy.news import Sighting
from matchmaker.policy.questions import Withheld, question
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.inquiry import Inquiry, PeerHealth
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Peer, Purpose
from matchmaker.store.base import Claim, Decision, Offer, Store, StoreBusy
from matchmaker.store.deciding import WAITS_FOR_ITS_TURN

logger = logging.getLogger(__name__)

_VERIFICATIONS = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """What would leave: whether this node is searched; of each peer that is asked the patient; reports for the rest.

    `named` are those that the asker named: they are asked although their breakers are open.
    """

    here: bool
    patients: dict[str, Patient]
    peers: tuple[Peer, ...]
    not_asked: tuple[NodeReport, ...]
    named: frozenset[str] = frozenset()


class Asking:
    """Asks peers."""

    def __init__(
        self,
        store: Store,
        following: Following,
        disclosing: Disclosing,
        noticing: Noticing,
        peer_client: PeerClient,
        fanout: Fanout,
        world: World,
    ) -> None:
        self._store = store
        self._following = following
        self._disclosing = disclosing
        self._noticing = noticing
        self._peer_client = peer_client
        self._fanout = fanout
        self._world = world

    def plan(self, case: Case, nodes: Sequence[str] | None, genes: Sequence[str] | None) -> Planned:
        """Decide who is asked about a case, and with what. `genes`: those chosen for this once, None: as the case says.

        Errors: InvalidRequest when `nodes` names one that nobody knows; Gone when the case was withdrawn.
        """
        if case.patient is None:
            raise Gone("the case was withdrawn")
        if genes is not None:
            table = self._following.current.knowledge.genes
            if problems := gene_problems(case.patient, tuple(genes), table, "genes"):
                raise InvalidRequest(*problems)
            case = replace(case, sharing=replace(case.sharing, genes=tuple(genes)))
        directory = self._following.directory
        peers = sorted(directory.peers.values(), key=lambda peer: peer.name)
        wanted = plan(nodes, self._disclosing.home.node, peers, lambda peer: self._why_not(case, peer))
        patients: dict[str, Patient] = {}
        left = list(wanted.not_asked)
        for peer in wanted.peers:
            patient = self._question(case, peer)
            if isinstance(patient, Withheld):
                left.append(not_asked(peer, patient.reason))
            else:
                patients[peer.name] = patient
        asked = tuple(peer for peer in wanted.peers if peer.name in patients)
        return Planned(wanted.here, patients, asked, tuple(left), frozenset(nodes or ()))

    def preview(self, planned: Planned) -> tuple[NodePreview, ...]:
        """Return exactly what each peer would be sent."""
        sent = [
            NodePreview(
                node=peer.name, country=peer.country, sent=json.loads(body_for(peer, planned.patients[peer.name]))
            )
            for peer in planned.peers
        ]
        left = [NodePreview(node=one.node, country=one.country, reason=one.reason) for one in planned.not_asked]
        return tuple(sorted([*sent, *left], key=lambda one: one.node))

    async def ask(self, case: Case, planned: Planned, *, keep: bool = False) -> list[Asked]:
        """Ask every peer of a plan whose breaker is closed, once it is written down; keep what came of it.

        `keep`: what cannot be kept is an error, rather than answered all the same. Errors: Changed; StoreBusy.
        """
        healths = await self._store.healths()
        resting = [
            Asked(peer, PeerFailure(Status.NOT_ASKED, breaker.described(health)), 0)
            for peer in planned.peers
            if (health := healths.get(peer.name))
            and peer.name not in planned.named
            and not await self._lets_through(health)
        ]
        names = {one.peer.name for one in resting}
        peers = tuple(peer for peer in planned.peers if peer.name not in names)
        asked = [*(await self._ask(case, replace(planned, peers=peers))), *resting]
        try:
            await self._keep(case, asked, names)
        except StoreBusy as error:  # who asked is answered all the same; the next search finds it again
            if keep:
                raise
            logger.warning("what peers answered is not kept: %s", error)
        return sorted(asked, key=lambda one: one.peer.name)

    async def _lets_through(self, health: PeerHealth) -> bool:
        """Tell whether a peer's breaker lets a question through: any while it is closed, one when its time is over."""
        if health.open_until is None:
            return True
        now, let = self._world.now(), list[bool]()

        def probe(current: PeerHealth) -> PeerHealth:
            let[:] = [not breaker.is_open(current, now)]
            return breaker.probing(current, now) if let[0] and current.open_until is not None else current

        await self._store.note_health(health.name, probe)
        return let[0]

    async def _keep(self, case: Case, asked: Sequence[Asked], resting: Collection[str]) -> None:
        """Keep how each peer stands, what came of asking it about the case, and the matches that it answered."""
        now = self._world.now()
        known = {one.node: one for one in await self._store.inquiries_of(case.public_id)}
        sightings: list[Sighting] = []
        for one in asked:
            if one.peer.name not in resting:
                await self._store.note_health(one.peer.name, partial(_after, one, now))
            if isinstance(one.outcome, PeerAnswer):
                scored = await asyncio.to_thread(self._noticing.scored, case, one.outcome)
                sightings += await asyncio.to_thread(self._noticing.answered, case, one.peer, one.outcome, scored, now)
        await self._store.record(sightings)  # first: who is noted to have answered is not asked again soon
        outcomes = [inquired(known.get(one.peer.name), case, one, now) for one in asked]
        await self._store.note_inquiries(outcomes)

    async def _ask(self, case: Case, planned: Planned) -> list[Asked]:
        if not planned.peers:
            return []
        await self._write_down(case, planned.peers)

        left: set[str] = set()  # peers to whom the question left

        async def still(peer: Peer) -> bool:
            may = await self._still(case.kept)
            left.update({peer.name} if may else ())
            return may

        asked = await self._fanout.ask_all(
            planned.peers,
            lambda peer: self._peer_client.ask(peer, planned.patients[peer.name], lambda: still(peer)),
        )
        await self._write_unsent(case, [peer.name for peer in planned.peers if peer.name not in left])
        return [without_echoes(one, planned.patients[one.peer.name].id) for one in asked]

    async def _write_unsent(self, case: Case, names: Sequence[str]) -> None:
        """Write down to whom no question left, whatever the line before says."""
        now, level = self._world.now(), case.sharing.level.word
        try:
            lines = [LedgerLine(now, Happened.UNSENT, name, case.public_id, level) for name in names]
            await self._store.write_ledger(lines)
        except StoreBusy as error:  # the ledger then says more than happened, never less
            logger.warning("that questions were not sent is not written down: %s", error)

    async def _still(self, kept: KeptCase) -> bool:
        """Tell whether a case was as planned less than PROMISE_SECONDS ago: who withdraws it waits longer."""
        claim = Claim(None, (Offer(kept.key, kept.version),), lambda _account, live: Decision(stale=not live))
        for _ in range(_VERIFICATIONS):
            started = self._world.clock()
            if (await self._store.settle(claim)).stale:
                return False
            if self._world.clock() - started < PROMISE_SECONDS:
                return True
        return False

    def _why_not(self, case: Case, peer: Peer) -> str | None:
        asker = as_asker(peer, self._following.directory.client_named(peer.name))
        return self._disclosing.eligible(asker, test_query=True).why_not(case.kept.audience)

    def _question(self, case: Case, peer: Peer) -> Patient | Withheld:
        content = case.kept.content or {}
        knowledge, directory = self._following.current.knowledge, self._following.directory
        contact = contact_of(content, case.sharing, directory.collections.get(case.sharing.collection or ""))
        seen_as = name_for(peer.name, case.public_id)
        asked = question(content, case.sharing, seen_as, contact, knowledge.genes, knowledge.ontology.label)
        return asked if isinstance(asked, Withheld) else Patient.model_validate(asked)

    async def _write_down(self, case: Case, peers: Sequence[Peer]) -> None:
        now, kept, level = self._world.now(), case.kept, case.sharing.level.word
        purposes = {peer.name: self._purpose(peer).value for peer in peers}
        lines = tuple(
            LedgerLine(now, Happened.ASKED, peer.name, case.public_id, level, purposes[peer.name]) for peer in peers
        )

        def decide(_account: Account, live: Sequence[Offer]) -> Decision:
            return Decision((kept.key,), lines=lines) if live else Decision(stale=True)

        decision = await self._store.settle(Claim(None, (Offer(kept.key, kept.version),), decide))
        if decision.stale:
            raise Changed("the case was changed or withdrawn meanwhile; search again")

    def _purpose(self, peer: Peer) -> Purpose:
        return as_asker(peer, self._following.directory.client_named(peer.name)).purpose


def _after(asked: Asked, now: float, health: PeerHealth) -> PeerHealth:
    return breaker.after(health, asked.outcome, asked.elapsed_ms, now)


def inquired(known: Inquiry | None, case: Case, asked: Asked, now: float) -> Inquiry:
    """Return the last outcome of asking a peer about a case. One that was not asked leaves what came of it before."""
    outcome, before = asked.outcome, known or Inquiry(case=case.public_id, node=asked.peer.name, at=now, status="")
    if isinstance(outcome, PeerAnswer):
        return Inquiry(
            case=case.public_id,
            node=asked.peer.name,
            at=now,
            status=Status.ANSWERED.value,
            results=len(outcome.results),
            elapsed_ms=asked.elapsed_ms,
            version=case.kept.version,
            asked_at=now,
            answered_at=now,
        )
    left = outcome.status is not Status.NOT_ASKED
    if not left and before.status == WAITS_FOR_ITS_TURN:
        return before  # it keeps its place
    told = {"at": now, "status": outcome.status.value, "reason": outcome.reason, "elapsed_ms": asked.elapsed_ms}
    failed = {"asked_at": now, "failures": before.failures + 1} if left else {}
    return before.model_copy(update={**told, **failed})
