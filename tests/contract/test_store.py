"""What every Store does. Each adapter runs the same suite; acknowledged is durable, so each test may reopen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.case import key_of
from matchmaker.records.ledger import LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Draft, NameTaken, NameUnknown, Outcome, PublicIdTaken, Store
from tests.contract.conftest import OpenStore
from tests.samples import answered, patient_json


def draft(case_id: str = "p1", owner: str = "dublin", sharing: str = "all", **changes: Any) -> Draft:
    patient = validate(Patient, patient_json(case_id, **changes))
    return Draft(owner, case_id, f"public-{owner}-{case_id}", Sharing(Circle(sharing)), patient)


async def test_a_deposit_is_new_then_unchanged_then_changed(store: Store) -> None:
    (new,) = await store.deposit([draft()], 1.0)
    (same,) = await store.deposit([draft()], 2.0)
    (changed,) = await store.deposit([draft(sharing="none")], 3.0)
    assert [d.outcome for d in (new, same, changed)] == [Outcome.NEW, Outcome.UNCHANGED, Outcome.CHANGED]
    assert same.case == new.case, "nothing at all has changed, not even a time"
    assert (changed.case.created_at, changed.case.updated_at) == (1.0, 3.0)
    assert changed.case.public_id == new.case.public_id, "stable for ever"


async def test_every_write_of_cases_has_the_next_revision_and_its_line_of_the_audit(store: Store) -> None:
    first = await store.deposit([draft(), draft("p2")], 1.0)
    await store.settle(answered("spain", 1, (), 1.0))
    changed = await store.deposit([draft("p2"), draft(sharing="none"), draft("p3")], 2.0)
    left = await store.withdraw("dublin", "p1", 3.0)
    assert left
    written = [d.case.revision for d in (*first, *changed) if d.outcome is not Outcome.UNCHANGED] + [left.revision]
    assert written == [1, 2, 3, 4, 5], "gapless, whatever else was written"
    assert (await store.revisions()).cases == 5
    lines = await store.audit(1, 10)
    assert [(line.revision, line.action, line.public_id, line.at) for line in lines] == [
        (2, "deposited", "public-dublin-p2", 1.0),
        (3, "changed", "public-dublin-p1", 2.0),
        (4, "deposited", "public-dublin-p3", 2.0),
        (5, "withdrawn", "public-dublin-p1", 3.0),
    ]
    assert {line.actor for line in lines} == {"dublin"}


async def test_each_change_of_clients_peers_and_reference_data_is_noticed(store: Store) -> None:
    seen = [await store.revisions()]
    writes: list[Callable[[], Awaitable[None]]] = [
        lambda: store.add_client(Client("spain", Role.NODE, "digest")),
        lambda: store.add_peer(Peer("spain", "https://x", "ES", "file")),
        lambda: store.revoke_client("spain", 2.0),
        lambda: store.remove_peer("spain"),
        lambda: store.set_reference([ReferenceFile(Kind.HPO, "hp.obo", "1", "00", 1.0, b"content")]),
        store.clear_reference,
    ]
    for write in writes:
        await write()
        seen.append(await store.revisions())
    assert len({(one.parties, one.reference) for one in seen}) == len(seen)
    assert {one.cases for one in seen} == {0}
    assert len({(one.identity, one.epoch) for one in seen}) == 1


async def test_the_same_content_again_and_a_change_that_fails_take_no_revision(store: Store) -> None:
    await store.deposit([draft()], 1.0)
    await store.add_peer(Peer("spain", "https://x", "ES", "file"))
    before = await store.revisions()
    await store.deposit([draft()], 2.0)
    clash = Draft("cork", "p2", "public-dublin-p1", Sharing(Circle.ALL), draft("p2").patient)
    with pytest.raises(PublicIdTaken):
        await store.deposit([draft("p3"), clash], 3.0)
    with pytest.raises(NameTaken):
        await store.add_peer(Peer("spain", "https://x", "ES", "file"))
    with pytest.raises(NameUnknown):
        await store.remove_peer("france")
    assert await store.revisions() == before
    assert len(await store.audit(0, 10)) == 1


async def test_the_newest_reference_data_of_each_kind_is_kept(store: Store) -> None:
    old = ReferenceFile(Kind.HPO, "hp.obo", "1", "00", 1.0, b"old")
    new = ReferenceFile(Kind.HPO, "hp.obo", "2", "01", 2.0, bytes(range(256)))
    chain = ReferenceFile(Kind.CHAIN, "x.chain", "3", "02", 2.0, b"")
    await store.set_reference([old])
    await store.set_reference([new, chain])
    assert await store.reference() == [chain, new]
    await store.clear_reference()
    assert await store.reference() == []


async def test_a_withdrawal_of_nothing_changes_nothing_and_a_probe_finds_a_good_store(store: Store) -> None:
    before = (await store.revisions()).cases
    assert await store.withdraw("dublin", "p1", 1.0) is None
    assert (await store.revisions()).cases == before
    await store.probe()


async def test_ids_are_each_owners_own(store: Store) -> None:
    await store.deposit([draft(), draft(owner="cork", sharing="none")], 1.0)
    mine, other = await store.case("dublin", "p1"), await store.case("cork", "p1")
    assert mine
    assert other
    assert mine.public_id != other.public_id
    assert await store.case("galway", "p1") is None


async def test_a_withdrawn_case_leaves_only_its_ids_and_never_comes_back(store: Store) -> None:
    await store.deposit([draft()], 1.0)
    left = await store.withdraw("dublin", "p1", 2.0)
    assert left
    assert left.withdrawn
    (again,) = await store.deposit([draft()], 3.0)
    assert again.outcome is Outcome.WITHDRAWN
    assert await store.withdraw("dublin", "p1", 4.0) is None
    assert await store.cases_of("dublin", "", 10) == []
    assert await asyncio.to_thread(store.read_cases, [key_of("public-dublin-p1")]) == {}


async def test_cases_are_listed_a_page_at_a_time(store: Store) -> None:
    await store.deposit([draft(f"p{n}") for n in range(5)] + [draft("p9", owner="cork")], 1.0)
    first = await store.cases_of("dublin", "", 3)
    rest = await store.cases_of("dublin", first[-1].id, 3)
    assert [case.id for case in [*first, *rest]] == ["p0", "p1", "p2", "p3", "p4"]
    assert await store.count_cases() == 6


async def test_changes_are_told_once_in_order_withdrawals_included(store: Store) -> None:
    await store.deposit([draft("a"), draft("b")], 1.0)
    seen = (await store.revisions()).cases
    await store.deposit([draft("a", sharing="none"), draft("c")], 2.0)
    await store.withdraw("dublin", "b", 3.0)
    changes = [case async for batch in store.changes_since(seen) for case in batch]
    assert [(case.id, case.withdrawn) for case in changes] == [("a", False), ("c", False), ("b", True)]
    everything = [case async for batch in store.changes_since(0) for case in batch if not case.withdrawn]
    for revision in range((await store.revisions()).cases + 1):
        versions = [case.version for case in everything if case.revision <= revision]
        assert await store.checksum(revision) == (len(versions), sum(versions))
    assert await asyncio.to_thread(store.read_cases, [case.key for case in everything]) == {
        case.key: case for case in everything
    }
    assert [case async for batch in store.changes_since((await store.revisions()).cases) for case in batch] == []


async def test_a_name_is_taken_until_its_token_is_revoked(store: Store) -> None:
    await store.add_client(Client("spain", Role.NODE, "one", "Hospital", "ES", 1.0))
    with pytest.raises(NameTaken):
        await store.add_client(Client("spain", Role.NODE, "two"))
    await store.revoke_client("spain", 2.0)
    with pytest.raises(NameUnknown):
        await store.revoke_client("spain", 3.0)
    await store.add_client(Client("spain", Role.DEPOSITOR, "two"))
    assert [(c.role, c.token_sha256, c.revoked_at) for c in await store.clients()] == [(Role.DEPOSITOR, "two", None)]


async def test_peers_come_and_go(store: Store) -> None:
    peer = Peer("spain", "https://es.example", "ES", "/run/token", "1.1", "M")
    await store.add_peer(peer)
    with pytest.raises(NameTaken):
        await store.add_peer(peer)
    assert await store.peers() == [peer]
    await store.remove_peer("spain")
    with pytest.raises(NameUnknown):
        await store.remove_peer("spain")


async def test_the_ledger_adds_up(store: Store) -> None:
    await store.settle(answered("spain", 3, ("A", "B"), 1.0))
    await store.settle(answered("france", 0, ("B",), 2.0))
    assert await store.ledger_totals() == LedgerTotals(requests=2, results=3, unique_genes=2)


async def test_what_was_acknowledged_is_there_when_opened_again(open_store: OpenStore) -> None:
    first = await open_store()
    (deposit,) = await first.deposit([draft()], 1.0)
    await first.close()
    again = await open_store()
    assert await again.case("dublin", "p1") == deposit.case
    await again.close()


async def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    clash = Draft(
        "cork", "p2", "public-dublin-p1", Sharing(Circle.ALL), draft("p2").patient
    )  # a public id that is taken
    with pytest.raises(PublicIdTaken):
        await store.deposit([draft(), clash], 1.0)
    assert await store.count_cases() == 0


async def test_two_openings_write_the_same_store(open_store: OpenStore) -> None:
    one, other = await open_store(), await open_store()
    await asyncio.gather(*(s.deposit([draft(f"{n}-{i}")], 1.0) for i, s in enumerate([one, other]) for n in range(50)))
    assert await one.count_cases() == await other.count_cases() == 100
    await one.close()
    await other.close()


async def test_lines_written_at_once_are_all_there(open_store: OpenStore) -> None:
    store = await open_store()
    await asyncio.gather(*(store.settle(answered("spain", n, (f"G{n % 7}",), float(n))) for n in range(100)))
    assert await store.ledger_totals() == LedgerTotals(requests=100, results=sum(range(100)), unique_genes=7)
    await store.close()
    again = await open_store()
    assert (await again.ledger_totals()).requests == 100
    await again.close()


async def test_one_who_follows_misses_nothing_whoever_writes(open_store: OpenStore) -> None:
    """Revisions are gapless in the order in which writes become visible: after n comes n + 1, never n - 1."""
    writers, reader = [await open_store() for _ in range(3)], await open_store()

    async def write(store: Store, name: str) -> None:
        for number in range(15):
            await store.deposit([draft(f"{name}-{number}"), draft(f"{name}-{number}-b")], 1.0)

    writing = asyncio.gather(*(write(store, str(n)) for n, store in enumerate(writers)))
    seen: list[int] = []
    while len(seen) < 90:
        seen += [case.revision async for batch in reader.changes_since(seen[-1] if seen else 0) for case in batch]
        assert seen == list(range(1, len(seen) + 1))
        revision = (await reader.revisions()).cases
        assert len(seen) <= revision <= 90
    await writing
    for store in (*writers, reader):
        await store.close()


async def test_a_batch_may_hold_one_case_twice_and_the_later_one_counts(store: Store) -> None:
    deposits = await store.deposit([draft(), draft(sharing="none"), draft(sharing="none"), draft("p2")], 1.0)
    assert [d.outcome for d in deposits] == [Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED, Outcome.NEW]
    assert [d.case.revision for d in deposits] == [1, 2, 2, 3]
    case = await store.case("dublin", "p1")
    assert case == deposits[1].case
    assert len(await store.audit(0, 10)) == 3


async def test_many_workers_write_the_ledger_at_once_and_it_adds_up(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(4)]

    async def write(store: Store, name: str) -> None:
        for number in range(10):
            await store.settle(answered(name, 2, (f"G{number}", "same"), 1.0))

    await asyncio.gather(*(write(store, str(n)) for n, store in enumerate(stores) for _ in range(3)))
    for store in stores:
        assert await store.ledger_totals() == LedgerTotals(requests=120, results=240, unique_genes=11)
        await store.close()
