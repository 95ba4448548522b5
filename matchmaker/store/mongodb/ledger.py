"""The ledger and the dealings: claims that wait are settled together; totals in several documents, so that workers do
not meet."""  # noqa: D209 - one sentence

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Collection_

from bson import Int64
from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.policy.account import Account
from matchmaker.records.ledger import (
    BEGINNING,
    DISCLOSURES,
    FORMER,
    Chain,
    Happened,
    KeptLine,
    LedgerLine,
    LedgerTotals,
    extended,
)
from matchmaker.store.base import Claim, Decision, Offer
from matchmaker.store.documents import document_of, entry_of
from matchmaker.store.entries import OF_A_QUESTION, dealing_of, dealing_values, former_line, kept_line_of, line_values
from matchmaker.store.gathering import Gathering
from matchmaker.store.mongodb.database import Document, MongoClient, number, settled, text
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.matches import Matches

_SHARDS = 16  # of the ledger's totals: workers that add to one document wait for each other
_BATCH = 2_000


class Ledger(Matches):
    """The part of a Store that keeps the ledger and the dealings."""

    def __init__(self, client: MongoClient, name: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client, name, loop)
        self._claims = Gathering[Claim, Decision](self._settle)
        self._accounts: dict[str, Account] = {}
        self._unsure: set[str] = set()  # organisations whose accounts may have taken in what was not written
        self._chain = secrets.token_hex(8)
        self._shard = secrets.randbelow(_SHARDS)
        self._known_genes: set[str] = set()
        self._known_for = ""

    async def settle(self, claim: Claim) -> Decision:
        """See Store."""
        return await self._claims.put(claim)

    async def write_ledger(self, lines: Sequence[LedgerLine]) -> None:
        """See Store."""
        await self._claims.put(Claim(None, (), lambda _account, _offers: Decision(lines=tuple(lines))))

    async def _settle(self, claims: list[Claim]) -> list[Decision | Exception]:
        async def work(session: AsyncClientSession) -> list[Decision | Exception]:
            await self.check_ours(session)
            decided = [await self._decided(claim, session) for claim in claims]
            made = [one for one in decided if isinstance(one, Decision)]
            await self._append([line for one in made for line in one.lines], session)
            await self._add_up(made, session)
            await self.record_within([sighting for one in made for sighting in one.sightings], session)
            return decided

        decided = await self.transact(work)
        self._unsure.clear()
        await self._add_genes({gene for one in decided if isinstance(one, Decision) for gene in one.genes})
        return decided

    async def _decided(self, claim: Claim, session: AsyncClientSession) -> Decision | Exception:
        account = await self._current(claim.organisation, session) if claim.organisation else Account()
        live = await self._as_found(claim.offers, session)
        try:
            decision = claim.decide(account, live)
        except Exception as error:  # noqa: BLE001 - it is told to who asked; others' claims are settled all the same
            return error
        for dealing in decision.dealings:
            self._unsure.add(dealing.organisation)
            account.last += 1
            values = [dealing.organisation, account.last, *dealing_values(dealing)]
            await self.of("dealings").insert_one(document_of("dealing", values), session=session)
            account.take(dealing)
        return decision

    async def _current(self, organisation: str, session: AsyncClientSession) -> Account:
        """Return an account with all its dealings, those that other workers wrote included."""
        if organisation in self._unsure or self._known_for != self.epoch:
            self._accounts.pop(organisation, None)
        account = self._accounts.setdefault(organisation, Account())
        await self._take_in(account, organisation, session)
        return account

    async def _take_in(self, account: Account, organisation: str, session: AsyncClientSession | None) -> None:
        later = {"organisation": text(organisation), "number": {"$gt": number(account.last)}}
        async for row in self.of("dealings").find(later, session=session).sort("number", ASCENDING):
            account.take(dealing_of(row["organisation"], row["at"], row["content"]))
            account.last = row["number"]

    async def _as_found(self, offers: Sequence[Offer], session: AsyncClientSession) -> list[Offer]:
        """Return the offers whose cases are still what was scored: neither changed nor withdrawn."""
        if not offers:
            return []
        some = {"key": {"$in": [Int64(number(offer.key)) for offer in offers]}, "live": True}
        found = self.of("cases").find(some, {"key": 1, "version": 1}, session=session)
        now = {int(row["key"]): int(row["version"]) async for row in found}
        return [offer for offer in offers if now.get(offer.key) == offer.version]

    async def _append(self, lines: list[LedgerLine], session: AsyncClientSession) -> None:
        if not lines:
            return
        found = await self.of("chains").find_one({"_id": text(self._chain)}, session=session)
        chain = Chain(*entry_of("chain", found)[1]) if found else Chain(self._chain, 0, BEGINNING, 0, BEGINNING)
        chain, kept = extended(chain, lines)
        documents = [document_of("line", line_values(one)) for one in kept]
        await self.of("ledger").insert_many(documents, session=session)
        await self._write_chain(chain, session)

    async def _write_chain(self, chain: Chain, session: AsyncClientSession | None) -> None:
        document = document_of("chain", [chain.name, chain.first, chain.base, chain.lines, chain.head])
        await self.of("chains").replace_one({"_id": text(chain.name)}, document, upsert=True, session=session)

    async def _add_up(self, made: Sequence[Decision], session: AsyncClientSession) -> None:
        added = {"requests": sum(one.questions for one in made), "results": sum(one.results for one in made)}
        if any(added.values()):
            await self.of("totals").update_one({"_id": self._shard}, {"$inc": added}, upsert=True, session=session)

    async def _add_genes(self, genes: set[str]) -> None:
        if self._known_for != self.epoch:  # everything was replaced meanwhile
            self._known_genes, self._known_for = set(), self.epoch
        if fresh := sorted(genes - self._known_genes):
            met = {"$setOnInsert": {"matched": True}}  # not the id: so the server itself tries a meeting of two again
            writes = [UpdateOne({"_id": text(gene)}, met, upsert=True) for gene in fresh]
            with speaking():
                await self.of("matched_genes").bulk_write(writes, ordered=False)
            self._known_genes.update(fresh)

    async def ledger_totals(self) -> LedgerTotals:
        """See Store."""
        with speaking():
            totals = [row async for row in self.of("totals").find({})]
            genes = await self.of("matched_genes").count_documents({})
        return LedgerTotals(sum(row["requests"] for row in totals), sum(row["results"] for row in totals), int(genes))

    async def account(self, organisation: str) -> Account:
        """See Store."""
        account = Account()
        with speaking():
            await self._take_in(account, organisation, None)
        return account

    async def lines_of(self, case: str, limit: int, skip: int = 0) -> list[LedgerLine]:
        """See Store."""
        with speaking():
            some = {"case_id": text(case), "kind": {"$in": [kind.value for kind in DISCLOSURES]}}
            order = [("at", ASCENDING), ("chain", ASCENDING), ("number", ASCENDING)]
            found = self.of("ledger").find(some).sort(order).skip(number(skip)).limit(number(limit))
            return [_line(row) async for row in found] if case else []

    async def recent_lines(self, kinds: Collection_[str], limit: int) -> list[LedgerLine]:
        """See Store."""
        some = {"kind": {"$in": [text(str(Happened(kind))) for kind in sorted(kinds)]}}
        order = [("at", DESCENDING), ("chain", ASCENDING), ("number", DESCENDING)]
        with speaking():
            found = self.of("ledger").find(some).sort(order).limit(number(limit))
            return [_line(row) async for row in found]

    async def questions_told(self, owner: str, case: str | None, limit: int, skip: int = 0) -> list[LedgerLine]:
        """See Store."""
        own: Document = {"owner": text(owner), "live": True}
        own.update({"_id": text(case)} if case is not None else {})
        with speaking():
            cases = [row["_id"] async for row in self.of("cases").find(own, {"_id": 1})]
            told = {"kind": Happened.TOLD.value, "case_id": {"$in": cases}}
            order = [("at", DESCENDING), ("chain", ASCENDING), ("number", DESCENDING)]
            found = self.of("ledger").find(told).sort(order).skip(number(skip)).limit(number(limit))
            return [_line(row) async for row in found]

    async def chains(self) -> list[Chain]:
        """See Store."""
        with speaking():
            return [
                Chain(*entry_of("chain", row)[1]) async for row in self.of("chains").find({}).sort("_id", ASCENDING)
            ]

    async def hash_at(self, chain: str, number: int) -> str | None:
        """See Store."""
        with speaking():
            row = await self.of("ledger").find_one({"_id": f"{text(chain)}:{int(number)}"})
        return str(row["hash"]) if row else None

    async def chain_names(self) -> list[str]:
        """See Store."""
        with speaking():
            found = await settled(self.of("ledger").aggregate([{"$group": {"_id": "$chain"}}]))
            return sorted([row["_id"] async for row in found])

    async def chain_lines(self, chain: str) -> AsyncIterator[list[KeptLine]]:
        """See Store."""
        last = -1
        while True:
            some = {"chain": text(chain), "number": {"$gt": number(last)}}
            with speaking():
                found = self.of("ledger").find(some).sort("number", ASCENDING).limit(_BATCH)
                read = [_kept(row) async for row in found]
            if not read:
                return
            yield read
            last = read[-1].number

    async def purge(self, lines_before: float, dealings_before: float) -> int:
        """See Store."""

        async def work(session: AsyncClientSession) -> int:
            await self.check_ours(session)
            found = self.of("chains").find({}, session=session)
            gone = [await self._purge_chain(row, float(lines_before), session) async for row in found]
            latest = [{"$group": {"_id": "$organisation", "number": {"$max": "$number"}}}]
            async for row in await settled(self.of("dealings").aggregate(latest, session=session)):
                old = {
                    "organisation": row["_id"],
                    "number": {"$lt": row["number"]},
                    "at": {"$lt": float(dealings_before)},
                    "content": {"$regex": f"^{re.escape(OF_A_QUESTION)}"},
                }
                await self.of("dealings").delete_many(old, session=session)
            return sum(gone)

        return await self.transact(work)

    async def _purge_chain(self, row: Document, before: float, session: AsyncClientSession) -> int:
        chain = Chain(*entry_of("chain", row)[1])
        lines, of_chain = self.of("ledger"), {"chain": text(chain.name)}
        kept = await lines.find_one({**of_chain, "at": {"$gte": before}}, sort=[("number", ASCENDING)], session=session)
        first = int(kept["number"]) if kept else chain.lines
        if first <= chain.first:
            return 0
        last = await lines.find_one({**of_chain, "number": first - 1}, session=session)
        await lines.delete_many({**of_chain, "number": {"$lt": first}}, session=session)
        base = last["hash"] if last else chain.base
        await self._write_chain(Chain(chain.name, first, base, chain.lines, chain.head), session)
        return first - chain.first

    async def chain_former_lines(self) -> None:
        """Put the lines of the first version into a chain of their own; may be broken off and done again."""
        former = {"chain": {"$exists": False}}
        if await self.of("chains").find_one({"_id": FORMER}) is None:
            await self.of("ledger").delete_many({"chain": FORMER})
            order = [("at", ASCENDING), ("asker", ASCENDING), ("results", ASCENDING), ("genes", ASCENDING)]
            found = self.of("ledger").find(former).sort(order).allow_disk_use(True)
            lines = [former_line(row["at"], row["asker"], row["results"]) async for row in found]
            if not lines:
                return
            chain, kept = extended(Chain(FORMER, 0, BEGINNING, 0, BEGINNING), lines)
            await self.of("ledger").insert_many([document_of("line", line_values(one)) for one in kept])
            await self._write_chain(chain, None)
        await self.of("ledger").delete_many(former)


def _kept(row: Document) -> KeptLine:
    return kept_line_of(entry_of("line", row)[1])


def _line(row: Document) -> LedgerLine:
    return _kept(row).line
