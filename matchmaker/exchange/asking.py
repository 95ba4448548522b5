"""Asking peers about a case: what leaves is decided, shown to the owner who wants to see it first, and written down.

A question is a disclosure: its line stands in the ledger before its bytes leave, and none leaves about a case that was
withdrawn meanwhile.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matchmaker.exchange.depositing import gene_problems
from matchmaker.exchange.disclosing import PROMISE_SECONDS, Disclosing
from matchmaker.exchange.following import Following
from matchmaker.exchange.messages import NodePreview, NodeReport
from matchmaker.exchange.searching import not_asked, plan, without_echoes
from matchmaker.exchange.world import World
from matchmaker.mme.errors import Changed, Gone, InvalidRequest
from matchmaker.mme.patient import Patient
from matchmaker.peers.client import PeerClient, body_for
from matchmaker.peers.fanout import Asked, Fanout
from matchmaker.policy.account import Account
from matchmaker.policy.consent import as_asker
from matchmaker.policy.levels import contact_of
from matchmaker.policy.names import name_for
from matchmaker.policy.questions import Withheld, question
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Peer, Purpose
from matchmaker.store.base import Claim, Decision, Offer, Store, StoreBusy

logger = logging.getLogger(__name__)

_VERIFICATIONS = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """What would leave: whether this node is searched; of each peer that is asked the patient; reports for the rest."""

    here: bool
    patients: dict[str, Patient]
    peers: tuple[Peer, ...]
    not_asked: tuple[NodeReport, ...]


class Asking:
    """Asks peers."""

    def __init__(
        self,
        store: Store,
        following: Following,
        disclosing: Disclosing,
        peer_client: PeerClient,
        fanout: Fanout,
        world: World,
    ) -> None:
        self._store = store
        self._following = following
        self._disclosing = disclosing
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
        return Planned(wanted.here, patients, asked, tuple(left))

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

    async def ask(self, case: Case, planned: Planned) -> list[Asked]:
        """Ask every peer of a plan, once it is written down that each was. Errors: Changed."""
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
