"""Finding matches without being asked: work that deposits queue and the week repeats, claimed by lease.

    search "CASE"        compare it with this node's cases, once for each of its states; queue a question for every peer
                         that may be asked about it; again next week, as the other half of a pair may arrive years later
    ask    "CASE PEER"   ask one peer within what was agreed; a peer that fails is asked again later, and later

An incoming query never comes here.
"""

import asyncio
from dataclasses import dataclass, replace

from matchmaker.exchange.asking import Asking, Planned
from matchmaker.exchange.config import Config
from matchmaker.exchange.disclosing import Disclosing
from matchmaker.exchange.following import Following
from matchmaker.exchange.noticing import Noticing
from matchmaker.exchange.working import Done
from matchmaker.exchange.world import World
from matchmaker.mme.errors import Changed
from matchmaker.peers import breaker
from matchmaker.peers.outcome import PeerFailure, Status
from matchmaker.policy import turns
from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.policy.turns import Turn
from matchmaker.records.case import Case, key_of
from matchmaker.records.inquiry import Asked, Inquiry
from matchmaker.records.party import Peer
from matchmaker.records.work import Work
from matchmaker.store.base import Store
from matchmaker.store.deciding import WAITS_FOR_ITS_TURN

ASK = "ask"
ASKING = "asking"  # the status of an inquiry whose question is under way
_FRESH = 0.8  # of the time between two searches: a peer that answered within it need not be asked again yet
_DAY_SECONDS = 86_400.0
_HOURS_SECONDS = 21_600.0  # over which the week's questions are spread


def ask_subject(public_id: str, peer: str) -> str:
    """Return the subject of an ASK work."""
    return f"{public_id} {peer}"


@dataclass(frozen=True)
class Finding:
    """Does the work."""

    config: Config
    store: Store
    following: Following
    disclosing: Disclosing
    asking: Asking
    noticing: Noticing
    world: World

    async def search(self, work: Work) -> Done:
        """Search with one case: here, as rules and data may have changed; queue the questions to peers."""
        case = await self._case(work.subject)
        if case is None:
            return Done.YES
        known = {one.node: one for one in await self.store.inquiries_of(case.public_id)}
        now = self.world.now()
        await self.look_here(case)
        await self._queue_questions(case, known, now)
        if not self.config.searches.every_days:
            return Done.YES
        await self.store.postpone(work, turns.search_at(case.public_id, self.config.searches.every_days, now))
        return Done.ALREADY

    async def look_here(self, case: Case) -> None:
        """Compare a case with this node's own, and remember what is worth it."""
        if case.patient is None:
            return
        client = self.following.directory.owner(case.owner)
        itself = {key_of(case.public_id), key_of(case.patient.id)}
        started = self.world.clock()
        results = await self.disclosing.look(
            case.patient, itself, client, lambda one: self.noticing.is_remembered(one.score, one.shared)
        )
        now = self.world.now()
        may_learn = self.disclosing.may_learn
        await self.store.record(await asyncio.to_thread(self.noticing.here, case, results, may_learn, now))
        looked = Inquiry(
            case=case.public_id,
            node=self.config.node.name,
            at=now,
            status=Status.ANSWERED.value,
            results=len(results),
            elapsed_ms=round((self.world.clock() - started) * 1000),
            version=case.kept.version,
            asked_at=now,
            answered_at=now,
        )
        await self.store.note_inquiries([looked])

    async def _queue_questions(self, case: Case, known: dict[str, Inquiry], now: float) -> None:
        """Queue a question for each peer that may be asked and has not just answered; keep why others are not."""
        planned = self.asking.plan(case, None, None)
        pieces = []
        for peer in planned.peers:
            last = known.get(peer.name)
            changed = last is None or last.version != case.kept.version
            if changed or not self._is_fresh(last, now):
                subject = ask_subject(case.public_id, peer.name)
                wait = 0.0 if changed else turns.share(subject, now) * _HOURS_SECONDS
                pieces.append(Work(ASK, subject, case.revision, now + wait))
        left = [
            one
            for report in planned.not_asked
            if (one := _not_asked(known.get(report.node), case, report.node, report.reason, now))
        ]
        if pieces:
            await self.store.queue_work(pieces)
        if left:
            await self.store.note_inquiries(left)

    def _is_fresh(self, last: Inquiry | None, now: float) -> bool:
        span = self.config.searches.every_days * _DAY_SECONDS * _FRESH
        return last is not None and last.answered_at is not None and not last.failures and now - last.answered_at < span

    async def queue_missing(self) -> None:
        """Queue a search with every case that has none: from before there were any, restored, or deposited without."""
        now, span = self.world.now(), self.config.searches.every_days * _DAY_SECONDS
        if span:
            await self.store.queue_searches(now, span)

    async def ask(self, work: Work) -> Done:
        """Ask one peer about one case."""
        public_id, _, name = work.subject.partition(" ")
        case, peer = await self._case(public_id), self.following.directory.peers.get(name)
        if case is None or peer is None:
            return Done.YES
        known = {one.node: one for one in await self.store.inquiries_of(public_id)}.get(name)
        now = self.world.now()
        if known and known.version == case.kept.version and self._is_fresh(known, now):
            return Done.YES  # asked meanwhile, as when its owner searched
        planned = replace(self.asking.plan(case, [name], None), named=frozenset())  # its breaker is heeded
        if not planned.peers:
            reason = next((one.reason for one in planned.not_asked if one.node == name), None)
            if left := _not_asked(known, case, name, reason, now):
                await self.store.note_inquiries([left])
            return Done.YES
        return await self._ask_in_turn(work, case, peer, planned, known)

    async def _ask_in_turn(self, work: Work, case: Case, peer: Peer, planned: Planned, known: Inquiry | None) -> Done:
        now = self.world.now()
        health = (await self.store.healths()).get(peer.name)
        if health is not None and breaker.is_open(health, now):  # first: a case that waits keeps its place
            resting = _not_asked(known, case, peer.name, breaker.described(health), now)
            if resting and not _waits(known):
                await self.store.note_inquiries([resting])
            return await self._later(work, (health.open_until or now) + turns.share(work.subject, now) * 60.0)
        turn: list[Turn] = []

        def decide(asked: Asked, before: Inquiry | None) -> Inquiry | None:
            failed = before is not None and (before.failures > 0 or before.status == ASKING)
            turn[:] = [turns.turn(asked, peer.per_month, failed=failed)]
            if turn[0] is Turn.WAITS:
                return _waiting(before, case, peer, now)
            return _about_to_ask(before, case, peer, now) if turn[0] is Turn.COMES else None

        asked = await self.store.take_turn(peer.name, case.public_id, now - SPAN_SECONDS, decide)
        if turn[0] is Turn.GIVES_WAY:
            return Done.YES  # until its next search
        if turn[0] is Turn.WAITS and peer.per_month is not None:
            return await self._later(work, turns.turn_at(asked, peer.per_month, now))
        return await self._asked(work, case, peer, planned, known)

    async def _asked(self, work: Work, case: Case, peer: Peer, planned: Planned, before: Inquiry | None) -> Done:
        try:
            (outcome,) = await self.asking.ask(case, planned, keep=True)
        except Changed:
            return Done.YES  # its change has queued a search of its own
        if not isinstance(outcome.outcome, PeerFailure):
            return Done.YES
        known = {one.node: one for one in await self.store.inquiries_of(case.public_id)}.get(peer.name)
        failures = known.failures if known else 1
        now = self.world.now()
        if outcome.outcome.status is Status.NOT_ASKED:  # for want of a token, or by its breaker
            if known is not None:  # it took no place, as no question left
                place = {"asked_at": before.asked_at if before else None}
                await self.store.note_inquiries([known.model_copy(update=place)])
            return await self._later(work, now + _DAY_SECONDS * (0.5 + turns.share(work.subject, now)))
        return await self._later(work, turns.retry_at(failures, turns.share(f"{work.subject} {failures}", now), now))

    async def _later(self, work: Work, due: float) -> Done:
        await self.store.postpone(work, due)
        return Done.ALREADY

    async def _case(self, public_id: str) -> Case | None:
        """Return a live case by its public id."""
        case = await self.store.case_known(public_id)
        return None if case is None or case.withdrawn else case


def _not_asked(known: Inquiry | None, case: Case, node: str, reason: str | None, now: float) -> Inquiry | None:
    """Return that a node is not asked about a case; None where that is known already."""
    before = known or Inquiry(case=case.public_id, node=node, at=now, status="")
    if (before.status, before.reason) == (Status.NOT_ASKED.value, reason):
        return None
    return before.model_copy(update={"at": now, "status": Status.NOT_ASKED.value, "reason": reason})


def _waits(known: Inquiry | None) -> bool:
    return known is not None and known.status == WAITS_FOR_ITS_TURN


def _about_to_ask(known: Inquiry | None, case: Case, peer: Peer, now: float) -> Inquiry:
    """Return that a case takes its place among those that a peer is asked about, before its question leaves."""
    before = known or Inquiry(case=case.public_id, node=peer.name, at=now, status="")
    return before.model_copy(update={"at": now, "status": ASKING, "reason": None, "asked_at": now})


def _waiting(known: Inquiry | None, case: Case, peer: Peer, now: float) -> Inquiry:
    """Return that a case waits for its turn at a peer, since it first did."""
    before = known or Inquiry(case=case.public_id, node=peer.name, at=now, status="")
    since = before.at if _waits(known) else now
    reason = f"{peer.name} is asked about {peer.per_month} cases within 30 days, as agreed; this one waits for its turn"
    return before.model_copy(update={"at": since, "status": WAITS_FOR_ITS_TURN, "reason": reason})
