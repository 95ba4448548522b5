"""What every store keeps of alerts and the mails that carry them: each alert in one mail, each mail with one worker."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from matchmaker.policy.news import Addressee, Sighting
from matchmaker.records.alert import NOBODY, MailKind, MailState, Role, Waiting
from matchmaker.records.choices import Choices
from matchmaker.records.match import Match
from matchmaker.records.work import Work
from matchmaker.store.base import NOTICE, Store, notice_subject
from matchmaker.store.kept_matches import MAIL
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft
from tests.matches import BYRNE, NUNEZ, alert, ids, mail, public_id, remote, sighted

WITHDRAWN = notice_subject(public_id("gone"), "spain")


async def alerted(store: Store, *addresses: str, count: int = 1, now: float = 1.0, **changes: Any) -> list[Match]:
    """Record matches of which each of the addresses is to learn, stronger and stronger."""
    await store.deposit([draft("p1")], 1.0)
    found = [remote(other=f"{now} {n}", now=now, score=0.1 * n, **changes) for n in range(1, count + 1)]
    await store.record([sighted(one, *addresses) for one in found])
    return found


async def claimed(store: Store, kind: str = MAIL, now: float = 9.0, until: float = 60.0) -> Work:
    work = await store.claim([kind], "worker", now, until)
    assert work
    return work


# Gathered


async def test_all_that_waits_for_somebody_and_is_due_goes_into_one_mail(store: Store) -> None:
    found = await alerted(store, BYRNE, count=3)
    (other,) = await alerted(store, NUNEZ, now=2.0)
    assert await store.waiting(9.0, 0.0) == [
        Waiting(recipient=BYRNE, alerts=3, oldest=1.0),
        Waiting(recipient=NUNEZ, alerts=1, oldest=2.0),
    ]
    made = mail(now=9.0)
    assert await store.gather([made, mail("none", "nobody@hospital.example", 9.0)], 9.0) == 1
    assert await store.mail("m1") == made.model_copy(update={"alerts": 3})
    assert await store.mail("none") is None
    assert await store.queued() == [Work(MAIL, "m1", 0, 9.0)]
    strongest_first = [alert(one, mail="m1") for one in reversed(found)]
    assert await store.carried("m1", 99) == strongest_first
    assert await store.carried("m1", 2) == strongest_first[:2]
    assert await store.alerts_of(ids([other])) == [alert(other, NUNEZ)]
    assert await store.waiting(9.0, 0.0) == [Waiting(recipient=NUNEZ, alerts=1, oldest=2.0)]
    assert await store.gather([mail("m2", now=10.0)], 10.0) == 0, "nothing waits for him any more"
    assert await store.mail("m2") is None
    assert len(await store.queued()) == 1


async def test_an_alert_is_snoozed_until_it_is_due(store: Store) -> None:
    (now,) = await alerted(store, BYRNE)
    later = remote(other="later")
    snoozed = Addressee(BYRNE, public_id("p1"), Choices(snoozed_until=100.0))
    await store.record([Sighting(later, (snoozed,))])
    assert await store.alerts_of([later.id]) == [alert(later, due=100.0)]
    assert await store.waiting(99.0, 0.0) == [Waiting(recipient=BYRNE, alerts=1, oldest=1.0)]
    assert await store.gather([mail(now=99.0)], 99.0) == 1
    assert await store.carried("m1", 9) == [alert(now, mail="m1")]
    assert await store.waiting(99.0, 0.0) == []
    recent = ((99.0, 1),)
    assert await store.waiting(100.0, 0.0) == [Waiting(recipient=BYRNE, alerts=1, oldest=100.0, recent=recent)]
    assert await store.gather([mail("m2", now=100.0)], 100.0) == 1
    assert await store.carried("m2", 9) == [alert(later, due=100.0, mail="m2")]


async def test_alerts_for_nobody_are_counted_and_wait_for_ever(store: Store) -> None:
    assert await store.unaddressed() == 0
    found = await alerted(store, NOBODY, count=2)
    await alerted(store, BYRNE, now=2.0)
    assert await store.unaddressed() == 2
    assert [one.recipient for one in await store.waiting(1e12, 0.0)] == [BYRNE]
    assert [one.recipient for one in await store.alerts_of(ids(found))] == [NOBODY, NOBODY]


async def test_an_alert_for_nobody_goes_as_soon_as_there_is_somebody_of_ours(store: Store) -> None:
    (found,) = await alerted(store, NOBODY)
    assert await store.record([sighted(remote(other="1.0 1", now=2.0, score=0.1), BYRNE)])
    assert [(one.recipient, one.number) for one in await store.alerts_of([found.id])] == [(BYRNE, 2)]
    assert await store.unaddressed() == 0


async def test_an_alert_for_nobody_stays_while_only_the_other_nodes_contact_is_written_to(store: Store) -> None:
    await store.deposit([draft("p1")], 1.0)
    theirs = Addressee(NUNEZ, public_id("p1"), role=Role.THEIRS, quoted="x1")
    both = (Addressee(NOBODY, public_id("p1")), theirs)
    for now, score in ((1.0, 0.5), (2.0, 0.9)):
        found = remote(now=now, score=score)
        await store.record([Sighting(found, both)])
        assert await store.unaddressed() == 1
    alerts = await store.alerts_of([found.id])
    assert [(one.recipient, one.number) for one in alerts] == [(NOBODY, 1), (NUNEZ, 1), (NUNEZ, 2)]


async def test_with_what_waits_are_told_the_mails_of_late_that_carried_alerts(store: Store) -> None:
    for number in range(1, 4):
        await alerted(store, BYRNE, NUNEZ, count=number, now=float(number))
        assert await store.gather([mail(f"m{number}", now=number + 0.5)], 9.0) == 1
    await store.queue_work([Work(NOTICE, WITHDRAWN, 1, 1.0)])
    about = mail("m4", now=4.0, kind=MailKind.WITHDRAWAL, about=WITHDRAWN)
    await store.put_mail(about, await claimed(store, NOTICE))
    await alerted(store, BYRNE, now=5.0)
    assert await store.waiting(9.0, 1.5) == [
        Waiting(recipient=NUNEZ, alerts=6, oldest=1.0),
        Waiting(recipient=BYRNE, alerts=1, oldest=5.0, recent=((3.5, 3), (2.5, 2))),
    ]


async def test_workers_that_gather_at_once_put_each_alert_into_one_mail(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    people = [f"person{n}@hospital.example" for n in range(6)]
    found = await alerted(stores[0], *people, count=4)
    made = await asyncio.gather(
        *(
            store.gather([mail(f"{turn} {worker} {one}", one) for one in people], 9.0)
            for worker, store in enumerate(stores)
            for turn in range(2)
        )
    )
    assert sum(made) == len(people)
    carried = await stores[0].alerts_of(ids(found))
    assert len({one.mail for one in carried}) == len(people)
    assert all(one.mail and one.mail.endswith(one.recipient) for one in carried)
    mails = await stores[1].mails([MailState.WAITING], 99)
    assert sorted((one.recipient, one.alerts) for one in mails) == [(one, 4) for one in people]
    assert sorted(one.subject for one in await stores[0].queued()) == sorted(one.id for one in mails)
    for store in stores:
        await store.close()


# Sent


async def test_a_mail_is_sent_by_one_of_many_workers(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    people = [f"person{n}@hospital.example" for n in range(20)]
    await alerted(stores[0], *people)
    assert await stores[0].gather([mail(one, one) for one in people], 9.0) == 20
    sent = Counter[str]()

    async def work(store: Store, name: str) -> None:
        while piece := await store.claim([MAIL], name, 9.0, 60.0):
            found = await store.mail(piece.subject)
            assert found
            sent[found.recipient] += 1
            done = found.model_copy(update={"state": MailState.SENT, "settled_at": 9.0})
            assert await store.settle_mail(done, piece) is True

    await asyncio.gather(*(work(store, str(n)) for n, store in enumerate(stores)))
    assert sent == dict.fromkeys(people, 1)
    assert await stores[0].queued() == []
    assert await stores[1].count_mails() == {MailState.SENT: 20}
    for store in stores:
        await store.close()


@pytest.mark.parametrize("state", [MailState.SENT, MailState.GIVEN_UP, MailState.EMPTY])
async def test_a_mail_that_is_settled_is_never_tried_again(store: Store, state: MailState) -> None:
    await alerted(store, BYRNE)
    await store.gather([mail()], 9.0)
    settled = mail(alerts=1, state=state, attempts=1, settled_at=9.0, reason="550 5.1.1 ä")
    assert await store.settle_mail(settled, await claimed(store)) is True
    assert await store.mail("m1") == settled
    assert await store.queued() == []
    assert await store.count_mails() == {state: 1}


async def test_a_mail_that_is_to_be_tried_again_waits_until_then(store: Store) -> None:
    await alerted(store, BYRNE)
    await store.gather([mail()], 9.0)
    failed = mail(alerts=1, attempts=1, due=50.0, reason="451 4.7.1 later")
    assert await store.settle_mail(failed, await claimed(store)) is True
    assert await store.mail("m1") == failed
    (work,) = await store.queued()
    assert (work.due, work.holder, work.leased_until) == (50.0, None, 0.0)
    assert await store.claim([MAIL], "worker", 49.0, 99.0) is None
    assert await store.claim([MAIL], "worker", 50.0, 99.0)


async def test_who_lost_the_lease_of_a_mail_says_only_that_it_was_sent(store: Store) -> None:
    await alerted(store, BYRNE)
    await store.gather([mail()], 9.0)
    late, now = await claimed(store), await claimed(store, now=60.0, until=120.0)
    for state in (MailState.GIVEN_UP, MailState.WAITING):
        assert await store.settle_mail(mail(alerts=1, state=state, due=500.0), late) is False
        assert await store.mail("m1") == mail(alerts=1)
    sent = mail(alerts=1, state=MailState.SENT, settled_at=61.0)
    assert await store.settle_mail(sent, late) is False
    assert await store.mail("m1") == sent, "what was sent was sent"
    assert await store.queued() == [now]


async def test_a_mail_that_was_given_up_is_tried_anew_under_its_own_id(store: Store) -> None:
    await alerted(store, BYRNE)
    await store.gather([mail()], 9.0)
    given_up = mail(alerts=1, state=MailState.GIVEN_UP, attempts=7, settled_at=9.0, reason="550")
    assert await store.retry_mail("m1", 50.0) is False, "it waits"
    await store.settle_mail(given_up, await claimed(store))
    assert await store.retry_mail("m1", 50.0) is True
    assert await store.mail("m1") == mail(alerts=1, created_at=50.0, due=50.0)
    assert await store.queued() == [Work(MAIL, "m1", 0, 50.0)]
    assert await store.retry_mail("m1", 51.0) is False
    assert await store.retry_mail("missing", 51.0) is False
    assert len(await store.carried("m1", 9)) == 1


# Of a withdrawal


async def test_a_mail_about_a_withdrawal_takes_the_place_of_the_work_that_it_comes_of(store: Store) -> None:
    await store.queue_work([Work(NOTICE, WITHDRAWN, 4, 1.0)])
    made = mail(kind=MailKind.WITHDRAWAL, about=WITHDRAWN)
    await store.put_mail(made, await claimed(store, NOTICE))
    assert await store.queued() == [Work(MAIL, "m1", 0, 2.0)]
    assert await store.mail("m1") == made
    assert await store.carried("m1", 9) == []


async def test_a_worker_that_lost_its_lease_makes_no_mail_about_a_withdrawal(store: Store) -> None:
    await store.queue_work([Work(NOTICE, WITHDRAWN, 4, 1.0)])
    late, now = await claimed(store, NOTICE), await claimed(store, NOTICE, now=60.0, until=120.0)
    await store.put_mail(mail("late", kind=MailKind.WITHDRAWAL, about=WITHDRAWN), late)
    assert await store.mail("late") is None
    assert await store.queued() == [now]
    await store.put_mail(mail("now", kind=MailKind.WITHDRAWAL, about=WITHDRAWN), now)
    assert [one.subject for one in await store.queued()] == ["now"]


# Listed and forgotten


async def settled(store: Store, mail_id: str, state: MailState, now: float) -> None:
    """Make a mail of a match, and settle it at once, unless it waits."""
    await alerted(store, f"{mail_id}@hospital.example", now=now)
    made = mail(mail_id, f"{mail_id}@hospital.example", now)
    await store.gather([made], now)
    if state is not MailState.WAITING:
        work = await claimed(store, now=now, until=now + 60.0)
        await store.settle_mail(made.model_copy(update={"alerts": 1, "state": state, "settled_at": now}), work)


async def test_mails_are_listed_by_state_newest_first_and_counted(store: Store) -> None:
    assert await store.count_mails() == {}
    states = [MailState.SENT, MailState.GIVEN_UP, MailState.SENT, MailState.EMPTY, MailState.WAITING]
    for number, state in enumerate(states):
        await settled(store, f"m{number}", state, 10.0 + number)

    async def listed(*wanted: MailState, limit: int = 99) -> list[str]:
        return [one.id for one in await store.mails(wanted, limit)]

    assert await listed(*MailState) == ["m4", "m3", "m2", "m1", "m0"]
    assert await listed(MailState.SENT) == ["m2", "m0"]
    assert await listed(MailState.GIVEN_UP, MailState.WAITING) == ["m4", "m1"]
    assert await listed(*MailState, limit=2) == ["m4", "m3"]
    assert await listed() == []
    assert await store.count_mails() == {
        MailState.SENT: 2,
        MailState.GIVEN_UP: 1,
        MailState.EMPTY: 1,
        MailState.WAITING: 1,
    }


async def test_mails_from_long_ago_are_forgotten_and_nobody_is_alerted_of_a_match_twice(store: Store) -> None:
    await settled(store, "old", MailState.SENT, 10.0)
    await settled(store, "older", MailState.EMPTY, 9.0)
    await settled(store, "young", MailState.SENT, 20.0)
    await settled(store, "failed", MailState.GIVEN_UP, 8.5)
    await settled(store, "waits", MailState.WAITING, 8.0)
    (found,) = await alerted(store, "old@hospital.example", now=10.0)
    assert await store.forget_mails(20.0) == 2
    assert [one.id for one in await store.mails([*MailState], 9)] == ["young", "failed", "waits"]
    assert [(one.recipient, one.mail) for one in await store.alerts_of([found.id])] == [("old@hospital.example", "old")]
    assert await store.waiting(99.0, 0.0) == []
    assert await store.forget_mails(20.0) == 0


async def test_a_token_of_a_mail_stands_for_its_recipient(store: Store) -> None:
    await alerted(store, NUNEZ, BYRNE)
    made = [mail("m1", NUNEZ, token="tokén-1"), mail("m2", BYRNE, token="token-2")]
    assert await store.gather(made, 9.0) == 2
    assert await store.recipient("tokén-1") == NUNEZ
    assert await store.recipient("token-2") == BYRNE
    assert await store.recipient("token") is None
    assert await store.recipient("") is None
    assert await store.mail("m1") == made[0].model_copy(update={"alerts": 1})
