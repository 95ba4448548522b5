"""The ledger and the dealings in the embedded store. Called within transactions."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from matchmaker.policy.account import Account
from matchmaker.policy.fingerprints import keyed
from matchmaker.records.ledger import BEGINNING, FORMER, Chain, Happened, KeptLine, LedgerLine, extended
from matchmaker.store.base import Claim, Decision, Offer
from matchmaker.store.entries import OF_A_QUESTION, dealing_of, dealing_values, former_line, line_values
from matchmaker.store.sqlite.cases import VERSION, raise_counter
from matchmaker.store.sqlite.noting import record

LINE = "at, kind, who, case_id, level, purpose, detail"
KEPT_LINE = f"chain, number, {LINE}, hash"
_MARKS = ", ".join("?" * 10)


def settle(
    connection: sqlite3.Connection, claims: Sequence[Claim], accounts: dict[str, Account], chain: str
) -> list[Decision | Exception]:
    """Decide claims one after the other, and write down what was decided. One that cannot be decided writes nothing."""
    decided = [_decided(connection, claim, accounts) for claim in claims]
    made = [one for one in decided if isinstance(one, Decision)]
    append(connection, chain, [line for one in made for line in one.lines])
    record(connection, [sighting for one in made for sighting in one.sightings])
    if questions := sum(one.questions for one in made):
        raise_counter(connection, "requests", questions)
    if results := sum(one.results for one in made):
        raise_counter(connection, "results", results)
    genes = sorted({gene for one in made for gene in one.genes})
    connection.executemany("INSERT OR IGNORE INTO matched_genes VALUES (?)", [(gene,) for gene in genes])
    return decided


def _decided(connection: sqlite3.Connection, claim: Claim, accounts: dict[str, Account]) -> Decision | Exception:
    account = current_account(connection, claim.organisation, accounts) if claim.organisation else Account()
    try:
        decision = claim.decide(account, _as_found(connection, claim.offers))
    except Exception as error:  # noqa: BLE001 - it is told to who asked; others' claims are settled all the same
        return error
    for dealing in decision.dealings:
        account.last += 1
        values = (dealing.organisation, account.last, *dealing_values(dealing))
        connection.execute("INSERT INTO dealings VALUES (?, ?, ?, ?)", values)
        account.take(dealing)
    return decision


def _as_found(connection: sqlite3.Connection, offers: Sequence[Offer]) -> list[Offer]:
    """Return the offers whose cases are still what was scored: neither changed nor withdrawn."""
    if not offers:
        return []
    some = f"SELECT key, {VERSION} FROM cases WHERE patient IS NOT NULL AND key IN ({', '.join('?' * len(offers))})"
    now = dict(connection.execute(some, [offer.key for offer in offers]))
    return [offer for offer in offers if now.get(offer.key) == offer.version]


def current_account(connection: sqlite3.Connection, organisation: str, accounts: dict[str, Account]) -> Account:
    """Return an organisation's account with all its dealings, those that other workers wrote included."""
    account = accounts.setdefault(organisation, Account())
    sql = "SELECT number, organisation, at, content FROM dealings WHERE organisation = ? AND number > ? ORDER BY number"
    for number, *values in connection.execute(sql, (organisation, account.last)):
        account.take(dealing_of(*values))
        account.last = number
    return account


def append(connection: sqlite3.Connection, name: str, lines: Sequence[LedgerLine]) -> None:
    """Append lines to a chain, which begins with them where it is new."""
    if not lines:
        return
    found = connection.execute("SELECT * FROM chains WHERE name = ?", (name,)).fetchone()
    chain, kept = extended(Chain(*found) if found else Chain(name, 0, BEGINNING, 0, BEGINNING), list(lines))
    write_lines(connection, kept)
    write_chain(connection, chain)


def write_lines(connection: sqlite3.Connection, lines: Iterable[KeptLine]) -> None:
    """Write lines in their places."""
    connection.executemany(f"INSERT INTO ledger ({KEPT_LINE}) VALUES ({_MARKS})", map(line_values, lines))


def write_chain(connection: sqlite3.Connection, chain: Chain) -> None:
    """Write how far a chain is."""
    row = (chain.name, chain.first, chain.base, chain.lines, chain.head)
    connection.execute("INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?, ?)", row)


def read_line(row: Sequence[Any]) -> LedgerLine:
    """Return the line of a row of LINE."""
    at, kind, *rest = row
    return LedgerLine(at, Happened(kind), *rest)


def chain_former_lines(connection: sqlite3.Connection) -> None:
    """Put the lines of the third version into a chain of their own."""
    rows = connection.execute("SELECT at, asker, results FROM ledger_3 ORDER BY line")
    append(connection, FORMER, [former_line(*row) for row in rows])
    connection.execute("DROP TABLE ledger_3")


def chain_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all chains that have a line: a step through the index for each."""
    sql = (
        "WITH RECURSIVE named (name) AS (SELECT min(chain) FROM ledger UNION ALL"
        " SELECT (SELECT min(chain) FROM ledger WHERE chain > name) FROM named WHERE name IS NOT NULL)"
        " SELECT name FROM named WHERE name IS NOT NULL"
    )
    return [name for (name,) in connection.execute(sql)]


def after_004(connection: sqlite3.Connection) -> None:
    """Do what the fourth migration leaves to the program: chain the lines, and keep digests of genes, not the genes."""
    chain_former_lines(connection)
    (secret,) = connection.execute("SELECT value FROM facts WHERE name = 'secret'").fetchone()
    genes = [gene for (gene,) in connection.execute("SELECT gene FROM matched_genes")]
    connection.execute("DELETE FROM matched_genes")
    connection.executemany("INSERT INTO matched_genes VALUES (?)", [(keyed(secret, gene),) for gene in genes])


def purge(connection: sqlite3.Connection, lines_before: float, dealings_before: float) -> int:
    """Forget lines from the beginnings of chains, and dealings."""
    gone = 0
    for chain in [Chain(*row) for row in connection.execute("SELECT * FROM chains")]:
        gone += _purge_chain(connection, chain, lines_before)
    _purge_dealings(connection, dealings_before)
    return gone


def _purge_chain(connection: sqlite3.Connection, chain: Chain, before: float) -> int:
    sql = "SELECT min(number) FROM ledger WHERE chain = ? AND at >= ?"
    kept = connection.execute(sql, (chain.name, before)).fetchone()[0]
    first = chain.lines if kept is None else int(kept)
    if first <= chain.first:
        return 0
    sql = "SELECT hash FROM ledger WHERE chain = ? AND number = ?"
    (base,) = connection.execute(sql, (chain.name, first - 1)).fetchone() or (chain.base,)
    connection.execute("DELETE FROM ledger WHERE chain = ? AND number < ?", (chain.name, first))
    write_chain(connection, Chain(chain.name, first, base, chain.lines, chain.head))
    return first - chain.first


def _purge_dealings(connection: sqlite3.Connection, before: float) -> None:
    """Forget old questions; what else was dealt stays, as does the last of each organisation, whose number goes on."""
    connection.execute(
        f"DELETE FROM dealings WHERE at < ? AND content LIKE '{OF_A_QUESTION}%'"
        " AND number < (SELECT max(number) FROM dealings AS other WHERE other.organisation = dealings.organisation)",
        (before,),
    )


def line_row(row: Sequence[Any]) -> KeptLine:
    """Return the line of a row of KEPT_LINE."""
    chain, number, *line, hashed = row
    return KeptLine(chain, number, read_line(line), hashed)
