"""Background work by lease, the same in every store: two workers never do one piece, a dead worker's is taken over."""

import asyncio
from dataclasses import replace

from matchmaker.store.base import SWEEP, Draft, Store
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft

SEARCH = "search"


def with_work(case_id: str = "p1", sharing: str = "all") -> Draft:
    return replace(draft(case_id, sharing=sharing), work=(SEARCH,))


async def queue(store: Store, *ids: str, now: float = 1.0) -> None:
    await store.deposit([with_work(one) for one in ids], now)


async def test_work_is_queued_with_the_case_that_asks_for_it(store: Store) -> None:
    await queue(store, "p1")
    (work,) = await store.queued()
    assert (work.kind, work.subject, work.revision, work.due, work.attempts) == (SEARCH, "public-dublin-p1", 1, 1.0, 0)
    await queue(store, "p1", now=2.0)
    assert await store.queued() == [work], "the same content again queues nothing"


async def test_what_is_queued_twice_is_one_piece_and_what_is_not_due_waits(store: Store) -> None:
    await queue(store, "p1", now=5.0)
    await store.deposit([with_work("p1", sharing="none")], 6.0)
    (work,) = await store.queued()
    assert (work.revision, work.due) == (2, 5.0)
    assert await store.claim([SEARCH], "a", 4.0, 60.0) is None
    assert await store.claim(["other"], "a", 9.0, 60.0) is None
    assert await store.claim([SEARCH], "a", 5.0, 60.0) is not None


async def test_a_piece_is_held_by_one_until_its_lease_ends_and_then_taken_over(store: Store) -> None:
    await queue(store, "p1")
    first = await store.claim([SEARCH], "a", 2.0, 10.0)
    assert first
    assert await store.claim([SEARCH], "b", 9.9, 70.0) is None
    second = await store.claim([SEARCH], "b", 10.0, 70.0)
    assert second
    assert (first.attempts, second.attempts, second.holder) == (1, 2, "b")
    assert await store.finish(first) is False, "the dead one came back: it holds nothing any more"
    assert await store.release(first, 3.0) is False
    assert await store.finish(second) is True
    assert await store.queued() == []


async def test_a_piece_queued_anew_while_it_is_done_is_done_again(store: Store) -> None:
    await queue(store, "p1")
    held = await store.claim([SEARCH], "a", 2.0, 60.0)
    assert held
    await store.deposit([with_work("p1", sharing="none")], 3.0)
    assert await store.claim([SEARCH], "b", 4.0, 60.0) is None, "not while it is being done"
    assert await store.finish(held) is False
    again = await store.claim([SEARCH], "b", 5.0, 60.0)
    assert again
    assert again.revision == 2
    assert await store.finish(again) is True


async def test_what_is_given_back_is_due_later(store: Store) -> None:
    await queue(store, "p1")
    held = await store.claim([SEARCH], "a", 2.0, 60.0)
    assert held
    assert await store.release(held, 30.0) is True
    assert await store.claim([SEARCH], "b", 29.0, 90.0) is None
    assert await store.claim([SEARCH], "b", 30.0, 90.0) is not None


async def test_work_is_claimed_in_the_order_in_which_it_is_due(store: Store) -> None:
    await queue(store, "late", now=3.0)
    await queue(store, "b", "a", now=2.0)
    claimed = [await store.claim([SEARCH], "x", 9.0, 60.0) for _ in range(3)]
    assert [work.subject for work in claimed if work] == ["public-dublin-a", "public-dublin-b", "public-dublin-late"]


async def test_a_withdrawal_takes_the_cases_work_with_it_and_queues_the_sweep(store: Store) -> None:
    await queue(store, "p1")
    await store.withdraw("dublin", "p1", 2.0)
    (work,) = await store.queued()
    assert (work.kind, work.subject) == (SWEEP, "public-dublin-p1")


async def test_of_many_workers_each_piece_is_claimed_by_one(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    await queue(stores[0], *(f"p{number}" for number in range(40)))

    async def work(store: Store, name: str) -> list[str]:
        done = []
        while claimed := await store.claim([SEARCH], name, 2.0, 60.0):
            done.append(claimed.subject)
            assert await store.finish(claimed)
        return done

    done = await asyncio.gather(*(work(store, str(n)) for n, store in enumerate(stores)))
    assert sorted(subject for some in done for subject in some) == sorted(f"public-dublin-p{n}" for n in range(40))
    assert await stores[0].queued() == []
    for store in stores:
        await store.close()
