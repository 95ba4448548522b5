"""The part of the embedded store that keeps what was told: the ledger and the dealings."""

import secrets
import sqlite3
from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Collection_
from pathlib import Path

from matchmaker.policy.account import Account
from matchmaker.records.ledger import DISCLOSURES, Chain, KeptLine, LedgerLine, LedgerTotals
from matchmaker.store.base import Claim, Decision
from matchmaker.store.gathering import Gathering
from matchmaker.store.sqlite import ledger, whole
from matchmaker.store.sqlite.running import Running

_BATCH = 2_000


class Ledger(Running):
    """Claims that wait are settled together, in one transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._claims = Gathering[Claim, Decision](self._settle)
        self._accounts: dict[str, Account] = {}  # used in the store's thread alone
        self._epoch = ""
        self._chain = secrets.token_hex(8)

    async def settle(self, claim: Claim) -> Decision:
        """See Store."""
        return await self._claims.put(claim)

    async def _settle(self, claims: list[Claim]) -> list[Decision | Exception]:
        try:
            return await self.write(lambda connection: self._settled(connection, claims))
        except BaseException:
            self._accounts.clear()  # they may have taken in what was not written
            raise

    def _settled(self, connection: sqlite3.Connection, claims: list[Claim]) -> list[Decision | Exception]:
        epoch = connection.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()[0]
        if epoch != self._epoch:  # everything was replaced meanwhile
            self._accounts.clear()
            self._epoch = epoch
        return ledger.settle(connection, claims, self._accounts, self._chain)

    async def write_ledger(self, lines: Sequence[LedgerLine]) -> None:
        """See Store."""
        await self._claims.put(Claim(None, (), lambda _account, _offers: Decision(lines=tuple(lines))))

    async def lines_of(self, case: str, limit: int, skip: int = 0) -> list[LedgerLine]:
        """See Store."""
        kinds = ", ".join(f"'{kind.value}'" for kind in DISCLOSURES)
        some = f"case_id = ? AND case_id <> '' AND kind IN ({kinds})"
        sql = f"SELECT {ledger.LINE} FROM ledger WHERE {some} ORDER BY at, chain, number LIMIT ? OFFSET ?"
        return await self.run(lambda c: [ledger.read_line(row) for row in c.execute(sql, (case, limit, skip))])

    async def questions_told(self, owner: str, case: str | None, limit: int, skip: int = 0) -> list[LedgerLine]:
        """See Store."""
        told = ", ".join(f"ledger.{column}" for column in ledger.LINE.split(", "))
        some = "cases.owner = ? AND cases.patient IS NOT NULL AND ledger.case_id <> '' AND ledger.kind = 'told'"
        values: list[object] = [owner]
        if case is not None:
            some += " AND cases.public_id = ?"
            values.append(case)
        order = "ORDER BY ledger.at DESC, ledger.chain, ledger.number DESC LIMIT ? OFFSET ?"
        sql = f"SELECT {told} FROM cases JOIN ledger ON ledger.case_id = cases.public_id WHERE {some} {order}"
        return await self.run(lambda c: [ledger.read_line(row) for row in c.execute(sql, (*values, limit, skip))])

    async def chains(self) -> list[Chain]:
        """See Store."""
        sql = "SELECT name, first, base, lines, head FROM chains ORDER BY name"
        return await self.run(lambda connection: [Chain(*row) for row in connection.execute(sql)])

    async def hash_at(self, chain: str, number: int) -> str | None:
        """See Store."""
        sql = "SELECT hash FROM ledger WHERE chain = ? AND number = ?"
        row = await self.run(lambda connection: connection.execute(sql, (chain, number)).fetchone())
        return str(row[0]) if row else None

    async def chain_names(self) -> list[str]:
        """See Store."""
        return await self.run(ledger.chain_names)

    async def chain_lines(self, chain: str) -> AsyncIterator[list[KeptLine]]:
        """See Store."""
        some = f"chain = ? AND number > ? ORDER BY number LIMIT {_BATCH}"
        sql = f"SELECT {ledger.KEPT_LINE} FROM ledger WHERE {some}"
        last = -1
        while True:
            read = await self.run(lambda c, last=last: c.execute(sql, (chain, last)).fetchall())  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if not read:
                return
            yield [ledger.line_row(row) for row in read]
            last = read[-1][1]

    async def recent_lines(self, kinds: Collection_[str], limit: int) -> list[LedgerLine]:
        """See Store."""
        wanted = sorted(kinds)
        some = f"kind IN ({', '.join('?' * len(wanted))}) ORDER BY at DESC, chain, number DESC LIMIT ?"
        sql = f"SELECT {ledger.LINE} FROM ledger WHERE {some}"
        return await self.run(lambda c: [ledger.read_line(row) for row in c.execute(sql, (*wanted, limit))])

    async def account(self, organisation: str) -> Account:
        """See Store."""
        return await self.run(lambda connection: ledger.current_account(connection, organisation, {}))

    async def purge(self, lines_before: float, dealings_before: float) -> int:
        """See Store."""
        return await self.write(lambda connection: ledger.purge(connection, lines_before, dealings_before))

    async def ledger_totals(self) -> LedgerTotals:
        """See Store."""

        def work(connection: sqlite3.Connection) -> LedgerTotals:
            counters, _ = whole.facts(connection)
            genes = connection.execute("SELECT count(*) FROM matched_genes").fetchone()[0]
            return LedgerTotals(counters["requests"], counters["results"], genes)

        return await self.run(work)
