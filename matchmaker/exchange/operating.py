"""What the person who runs a node looks at: nodes, clients, people, mails, data. Never a case."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from matchmaker.exchange.following import Following
from matchmaker.exchange.world import World
from matchmaker.mme.errors import NotFound
from matchmaker.mme.messages import HeartbeatBody
from matchmaker.peers import breaker
from matchmaker.peers.outcome import PeerFailure
from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.records.alert import Mail, MailState
from matchmaker.records.inquiry import PeerHealth
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Client, Peer
from matchmaker.records.person import Person
from matchmaker.store.base import Store

_MOST_MAILS = 200
Listen = Callable[[Peer], Awaitable[HeartbeatBody | PeerFailure]]


@dataclass(frozen=True, slots=True)
class PeerRow:
    """A peer, how it has answered lately, its breaker's state, and how many cases it was asked about in 30 days."""

    peer: Peer
    health: PeerHealth | None
    breaker: str
    asked: int


@dataclass(frozen=True)
class Operating:
    """Reads and changes what an operator may."""

    store: Store
    following: Following
    listen: Listen
    world: World

    async def peers(self) -> list[PeerRow]:
        """Return all peers by name."""
        healths, now = await self.store.healths(), self.world.now()
        rows = []
        for peer in sorted(self.following.directory.peers.values(), key=lambda one: one.name):
            asked = await self.store.take_turn(peer.name, "", now - SPAN_SECONDS, lambda _asked, _known: None)
            health = healths.get(peer.name)
            state = breaker.state_of(health, now) if health else "closed"
            rows.append(PeerRow(peer, health, state, len(asked.times)))
        return rows

    async def heartbeat(self, name: str) -> HeartbeatBody | PeerFailure:
        """Ask a peer for its heartbeat. Errors: NotFound."""
        peer = self.following.directory.peers.get(name)
        if peer is None:
            raise NotFound("there is no such peer")
        return await self.listen(peer)

    async def clients(self) -> list[Client]:
        """Return all clients by name, revoked ones included."""
        return await self.store.clients()

    async def revoke(self, name: str, by: Person) -> None:
        """Revoke a client's token at once. Errors: NameUnknown."""
        now = self.world.now()
        await self.store.revoke_client(name, now)
        await self.store.write_ledger([LedgerLine(now, Happened.REVOKED, name, detail=f"client, by {by.email}")])
        await self.following.catch_up()

    async def people(self) -> list[Person]:
        """Return all people: those who wait first, then by address."""
        return sorted(await self.store.people(), key=lambda one: (not one.waiting, one.email))

    async def mails(self) -> tuple[list[Mail], dict[MailState, int], int]:
        """Return mails that were given up or wait, latest first; counts by state; alerts that nobody gets."""
        shown = await self.store.mails([MailState.GIVEN_UP, MailState.WAITING], _MOST_MAILS)
        return shown, await self.store.count_mails(), await self.store.unaddressed()

    async def retry(self, mail_id: str) -> bool:
        """Try a mail again that was given up; False where it was not."""
        return await self.store.retry_mail(mail_id, self.world.now())
