"""The ledger: lines that wait are written together; its totals in several documents, so that workers do not meet."""

import asyncio
import json
import secrets

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.store.documents import document_of
from matchmaker.store.gathering import Gathering
from matchmaker.store.mongodb.database import Database, MongoClient, text
from matchmaker.store.mongodb.errors import speaking

_SHARDS = 16  # of the ledger's totals: workers that add to one document wait for each other


class Ledger(Database):
    """The part of a Store that keeps the ledger."""

    def __init__(self, client: MongoClient, name: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client, name, loop)
        self._lines = Gathering(self._append_lines)
        self._shard = secrets.randbelow(_SHARDS)
        self._known_genes: set[str] = set()
        self._known_for = ""

    async def write_ledger(self, line: LedgerLine) -> None:
        """See Store."""
        await self._lines.put(line)

    async def _append_lines(self, lines: list[LedgerLine]) -> None:
        await self._add_genes({gene for line in lines for gene in line.genes})
        documents = [document_of("line", [line.at, line.asker, line.results, json.dumps(line.genes)]) for line in lines]
        added = {"requests": len(lines), "results": sum(line.results for line in lines)}

        async def work(session: AsyncClientSession) -> None:
            await self.check_ours(session)
            # Copies: what is written is given an id, and a transaction may be done again.
            await self.of("ledger").insert_many([dict(document) for document in documents], session=session)
            await self.of("totals").update_one({"_id": self._shard}, {"$inc": added}, upsert=True, session=session)

        await self.transact(work)

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
