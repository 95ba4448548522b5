"""What every store keeps of what may be told, and what was: collections, claims, chains, dealings, notices."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from matchmaker.exchange.auditing import verify
from matchmaker.policy.account import Account
from matchmaker.records.collection import Collection
from matchmaker.records.dealing import Dealing, Event
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Client, Purpose, Role
from matchmaker.store.base import NOTICE, Claim, Decision, NameUnknown, Offer, Store
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft

CONTACT = {"name": "Team", "href": "mailto:team@dublin.example"}


def collection(name: str = "rare", **changes: Any) -> Collection:
    """A collection."""
    return Collection.model_validate({"name": name, "institution": "Dublin", "contact": CONTACT, **changes})


def quiet(_done: int) -> None:
    """Tell nobody how far it is."""


def telling(who: str, public_id: str, offers: Sequence[Offer], at: float = 1.0) -> Claim:
    """A claim by which a node is told of those of some cases that are as they were found."""

    def decide(_account: Account, live: Sequence[Offer]) -> Decision:
        line = LedgerLine(at, Happened.TOLD, who, public_id, "standard", "clinical")
        dealing = Dealing(
            "node " + who, at, Event.ASKED, f"{at}", f"{at}", "", True, (), tuple(one.key for one in live)
        )
        return Decision(tuple(one.key for one in live), (dealing,), (line,) if live else (), 1, len(live), ("G",))

    return Claim("node " + who, tuple(offers), decide)


async def test_collections_are_kept_changed_and_forgotten_and_counted(store: Store) -> None:
    before = (await store.revisions()).parties
    assert await store.put_collection(collection()) is False
    assert await store.put_collection(collection("other", dataUse=["DUO:0000042"])) is False
    changed = collection(legalBasis="yes", title="Ünïcode 漢字")
    assert await store.put_collection(changed) is True
    assert [one.name for one in await store.collections()] == ["other", "rare"]
    assert (await store.collections())[1] == changed
    await store.remove_collection("other")
    with pytest.raises(NameUnknown):
        await store.remove_collection("other")
    assert (await store.revisions()).parties > before + 3


async def test_a_clients_agreement_is_kept(store: Store) -> None:
    client = Client("spain", Role.NODE, "x", "I", "ES", 1.0, None, Purpose.RESEARCH, None, "a@b.example")
    await store.add_client(client)
    other = Client("france", Role.NODE, "y", per_month=7)
    await store.add_client(other)
    assert await store.clients() == [other, client]
    changed = replace(other, per_month=None, purpose=Purpose.RESEARCH, contact="c@d.example")
    before = (await store.revisions()).parties
    await store.change_client(changed)
    assert await store.clients() == [changed, client]
    assert (await store.revisions()).parties > before
    with pytest.raises(NameUnknown):
        await store.change_client(replace(other, name="italy"))


async def test_only_cases_that_are_as_they_were_found_are_told(store: Store) -> None:
    kept, changed, gone = (one.case.kept for one in await store.deposit([draft("a"), draft("b"), draft("c")], 1.0))
    await store.deposit([draft("b", sharing="country")], 2.0)
    await store.withdraw("dublin", "c", 3.0)
    offers = [Offer(one.key, one.version) for one in (kept, changed, gone)]
    decision = await store.settle(telling("spain", kept.public_id, [*offers, Offer(4711, 1)]))
    assert decision.told == (kept.key,)
    assert (await store.account("node spain")).coverage(2.0) == 1


async def test_what_cannot_be_decided_writes_nothing_and_spoils_no_others_claim(store: Store) -> None:
    def broken(_account: Account, _live: Sequence[Offer]) -> Decision:
        raise ValueError("a bug")

    results = await asyncio.gather(
        *(
            store.settle(Claim("node x", (), broken)) if n % 3 == 0 else store.settle(telling("spain", "p", ()))
            for n in range(9)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, ValueError) for one in results] == [n % 3 == 0 for n in range(9)]
    assert (await store.ledger_totals()).requests == 6
    assert (await store.account("node x")).last == 0


async def test_workers_know_of_one_anothers_dealings_and_none_is_lost(open_store: OpenStore) -> None:
    """An organisation with room for 10 new cases is told of exactly 10, whichever workers it asks at once."""
    workers = [await open_store() for _ in range(4)]
    drafts = [draft(f"p{n}") for n in range(40)]
    cases = [one.case.kept for one in await workers[0].deposit(drafts, 1.0)]

    def decide(account: Account, live: Sequence[Offer]) -> Decision:
        left = 10 - account.coverage(5.0)
        told = tuple(one.key for one in live)[:left]
        name = f"{live[0].key}"
        dealing = Dealing("node spain", 5.0, Event.ASKED, name, name, "", True, (), told)
        return Decision(told, (dealing,) if told else (), (), 1, len(told))

    async def ask(number: int) -> int:
        case = cases[number]
        claim = Claim("node spain", (Offer(case.key, case.version),), decide)
        return len((await workers[number % 4].settle(claim)).told)

    assert sum(await asyncio.gather(*map(ask, range(40)))) == 10
    for worker in workers:
        assert (await worker.account("node spain")).coverage(5.0) == 10
        assert (await worker.ledger_totals()).results == 10
        await worker.close()


async def test_every_worker_has_a_chain_and_all_are_whole(open_store: OpenStore) -> None:
    workers = [await open_store() for _ in range(3)]
    for worker in workers:
        await asyncio.gather(*(worker.settle(telling("spain", f"case{n}", ())) for n in range(20)))
        await worker.write_ledger(
            [LedgerLine(2.0, Happened.GRANTED, "spain", detail="ä 漢"), LedgerLine(2.0, Happened.ANSWERED, "x")]
        )
    found = await verify(workers[0], quiet)
    assert (found.faults, found.lines, len(found.chains)) == ((), 6, 3)
    for worker in workers:
        await worker.close()


async def test_lines_are_found_by_case_and_by_kind(store: Store) -> None:
    (deposit,) = await store.deposit([draft("a")], 1.0)
    case = deposit.case.kept
    for number, who in enumerate(("spain", "france", "spain")):
        await store.settle(telling(who, case.public_id, [Offer(case.key, case.version)], float(number)))
    await store.write_ledger([LedgerLine(9.0, Happened.REFUSED, "spain", detail="why")])
    assert [(line.at, line.who) for line in await store.lines_of(case.public_id, 10)] == [
        (0.0, "spain"),
        (1.0, "france"),
        (2.0, "spain"),
    ]
    assert [line.kind for line in await store.recent_lines([Happened.REFUSED], 5)] == [Happened.REFUSED]
    assert await store.lines_of("", 10) == []


async def test_who_was_told_of_a_withdrawn_case_is_to_be_told_so(store: Store) -> None:
    (deposit,) = await store.deposit([draft("a")], 1.0)
    case = deposit.case.kept
    for who in ("spain", "france", "spain"):
        await store.settle(telling(who, case.public_id, [Offer(case.key, case.version)]))
    await store.write_ledger(
        [
            LedgerLine(1.0, Happened.SHOWN, "cork", case.public_id),
            LedgerLine(1.0, Happened.ASKED, "italy", case.public_id),
        ]
    )
    left = await store.withdraw("dublin", "a", 5.0)
    assert left
    expected = [f"{case.public_id} {who}" for who in ("france", "italy", "spain")]
    assert sorted(work.subject for work in await store.queued() if work.kind == NOTICE) == expected
    await store.notify(left, 6.0)
    assert sorted(work.subject for work in await store.queued() if work.kind == NOTICE) == expected, "once each"
    assert await store.ids_of("dublin") == [("a", case.public_id)]


async def test_what_was_kept_long_enough_goes_and_the_chains_stay_whole(store: Store) -> None:
    for number in range(10):
        await store.settle(telling("spain", "case", (), float(number)))
        await store.write_ledger([LedgerLine(float(number), Happened.ANSWERED, "spain")])
    assert await store.purge(6.0, 6.0) == 6
    assert await store.purge(6.0, 6.0) == 0
    found = await verify(store, quiet)
    assert (found.faults, found.lines, found.chains[0].first) == ((), 4, 6)
    assert (await store.account("node spain")).last == 10, "no number is given twice"
    await store.write_ledger([LedgerLine(11.0, Happened.ANSWERED, "spain")])
    assert await store.purge(1e12, 1e12) == 5
    assert (await verify(store, quiet)).faults == ()
    await store.write_ledger([LedgerLine(12.0, Happened.ANSWERED, "spain")])
    assert (await verify(store, quiet)).lines == 1


async def test_no_word_of_a_question_is_kept(store: Store) -> None:
    """Of a question a store is handed fingerprints; this looks at what it hands out again."""
    await store.settle(telling("spain", "case", ()))
    rows = [values async for batch in store.export() for kind, values in batch if kind == "dealing"]
    assert len(rows) == 1
    assert set(json.loads(rows[0][3])) <= {"kind", "digest", "profile", "sketch", "fresh", "genes", "cases", "again"}
