"""What every store remembers of matches: what is news, who may list it, what was done with it, and what came of asking."""

import asyncio
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from matchmaker.policy.account import Account
from matchmaker.policy.news import BETTER_BY, Addressee, Noted, Sighting
from matchmaker.records.alert import News
from matchmaker.records.choices import Choices
from matchmaker.records.inquiry import Asked, Inquiry, PeerHealth
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.match import Event, Match, Other, Solution, Status
from matchmaker.records.work import Work
from matchmaker.store.base import NOTICE, NOTICE_AFTER_SECONDS, SEARCH, SWEEP, Claim, Decision, Offer, Store
from matchmaker.store.entries import line_of
from matchmaker.store.kept_matches import MAIL, Wanted
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft
from tests.matches import (
    BYRNE,
    CONTACT,
    NUNEZ,
    alert,
    first_kept,
    gene,
    ids,
    inquiry,
    mail,
    pair,
    public_id,
    remote,
    side,
    sighted,
    unchanged,
    with_history,
)

DAY = 86_400.0
ASK = "ask"  # a kind of work whose subject is "PUBLIC_ID PEER"


async def deposited(store: Store, *cases: str, owner: str = "dublin") -> None:
    await store.deposit([draft(one, owner) for one in cases], 1.0)


async def owned_by(store: Store, owner: str = "dublin") -> list[str]:
    return ids(await store.matches(Wanted(owner)))


def noting(text: str, at: float = 5.0) -> Callable[[Match], Noted]:
    """A change that adds a note."""
    return lambda known: Noted(with_history(known, Event(at=at, who="dublin", what="note", note=text)))


def notes(match: Match | None) -> list[str | None]:
    assert match
    return [event.note for event in match.sides[0].history]


# Found, and found again


async def test_a_match_found_for_the_first_time_is_news_remembered_and_alerted(store: Store) -> None:
    await deposited(store, "p1")
    found = remote(genes=(gene(),), explanation={"sharedTerms": [{"id": "HP:1", "ä": [1, 2.5, None]}]})
    (news,) = await store.record([sighted(found, BYRNE, NUNEZ, BYRNE)])
    assert news == first_kept(found)
    assert await store.match(found.id) == news
    assert await store.alerts_of([found.id]) == [alert(found, BYRNE), alert(found, NUNEZ)], "one for each address"
    assert await asyncio.to_thread(store.read_matches, [found.id, "missing"]) == {found.id: news}
    assert await store.match("missing") is None
    assert await store.record([]) == []


async def test_a_match_seen_again_unchanged_is_no_news_and_alerts_nobody(store: Store) -> None:
    await deposited(store, "p1")
    found = remote()
    (news,) = await store.record([sighted(found, BYRNE), sighted(found, BYRNE)])
    assert await store.record([sighted(remote(now=2.0), BYRNE, NUNEZ)]) == []
    assert await store.record([sighted(remote(now=3.0, score=0.525), BYRNE)]) == [], "hardly better"
    kept = await store.match(found.id)
    assert kept == news.model_copy(update={"score": 0.525, "last_seen": 3.0})
    assert await store.alerts_of([found.id]) == [alert(found)]


async def test_a_match_that_is_seen_every_hour_is_written_down_once_a_day(store: Store) -> None:
    await deposited(store, "p1")
    found = remote()
    await store.record([sighted(found, BYRNE)])
    written = []
    for hour in range(1, 60):
        assert await store.record([sighted(remote(now=1.0 + hour * 3_600.0), BYRNE)]) == []
        kept = await store.match(found.id)
        assert kept
        assert (kept.first_seen, kept.changed_at, kept.news) == (1.0, 1.0, 1)
        written.append(kept.last_seen)
    assert sorted(set(written)) == [1.0, 1.0 + 25 * 3_600.0, 1.0 + 50 * 3_600.0]


async def test_a_match_that_got_stronger_is_news_again_with_an_alert_of_its_own(store: Store) -> None:
    await deposited(store, "p1")
    first = remote()
    await store.record([sighted(first, BYRNE)])
    better = remote(now=2.0, score=0.5 + BETTER_BY)
    (news,) = await store.record([sighted(better, BYRNE)])
    assert (news.news, news.news_score, news.first_seen, news.changed_at) == (2, 0.5 + BETTER_BY, 1.0, 2.0)
    with_gene = remote(now=3.0, score=0.3, genes=(gene(),))
    (news,) = await store.record([sighted(with_gene, BYRNE, NUNEZ)])
    assert (news.news, news.score, news.first_seen, news.changed_at) == (3, 0.3, 1.0, 3.0)
    assert await store.match(first.id) == news
    assert await store.alerts_of([first.id]) == [
        alert(first),
        alert(better, number=2, news=News.STRONGER),
        alert(with_gene, number=3, news=News.STRONGER),
        alert(with_gene, NUNEZ, number=3, news=News.STRONGER),
    ]


async def test_what_was_found_of_a_withdrawn_or_unknown_case_is_left_out_and_the_rest_kept(store: Store) -> None:
    await deposited(store, "p1", "gone")
    await store.withdraw("dublin", "gone", 2.0)
    found = [
        remote("gone"),
        remote("never"),
        pair(side("p1"), side("gone")),
        pair(side("p1"), side("never")),
        remote("p1"),
    ]
    assert ids(await store.record([sighted(one, BYRNE) for one in found])) == [found[-1].id]
    assert await owned_by(store) == [found[-1].id]
    assert await store.alerts_of(ids(found)) == [alert(found[-1])]


async def test_how_a_side_was_followed_up_survives_that_the_match_is_seen_again(store: Store) -> None:
    await deposited(store, "p1")
    await deposited(store, "p2", owner="cork")
    found = pair(side("p1"), side("p2", "cork"))
    await store.record([Sighting(found)])
    events = (
        Event(at=2.0, who="cork, a@b.example", what="contacted", note="ä 漢"),
        Event(at=3.0, who="cork", what="x"),
    )
    followed = {
        "status": Status.NOT_A_MATCH,
        "reason": "another gene",
        "history": events,
        "solution": Solution(),
        "tells": True,
    }

    def change(known: Match) -> Noted:
        one, two = known.sides
        if one.owner == "cork":
            one, two = two, one
        return Noted(known.model_copy(update={"sides": (one, two.model_copy(update=followed))}))

    await store.change_match(found.id, change)
    again = pair(side("p1", version=7), side("p2", "cork", version=8, person=NUNEZ, score=0.25), now=9.0, score=0.9)
    (news,) = await store.record([Sighting(again)])
    kept = await store.match(found.id)
    assert kept == news
    ours, theirs = kept.side_of(public_id("p1")), kept.side_of(public_id("p2", "cork"))
    assert ours == side("p1", version=7)
    assert theirs == side("p2", "cork", version=8, person=NUNEZ, score=0.25, **followed)
    assert ids(await store.matches(Wanted("cork", status=Status.NOT_A_MATCH))) == [found.id]


async def test_a_pair_that_two_workers_find_at_once_is_news_once(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    await deposited(stores[0], "p1")
    found = [remote(other=f"x{n}") for n in range(6)]
    news = await asyncio.gather(*(store.record([sighted(one, BYRNE)]) for one in found for store in stores))
    assert sorted(one.id for some in news for one in some) == sorted(ids(found))
    assert len(await stores[0].alerts_of(ids(found))) == len(found)
    for store in stores:
        await store.close()


async def test_nothing_is_remembered_of_a_case_that_is_withdrawn_at_the_same_time(open_store: OpenStore) -> None:
    """Whichever of both comes first: the sighting is left out, or it goes with the case."""
    store, beside = await open_store(), await open_store()

    async def after(seconds: float, found: Sequence[Match]) -> None:
        await asyncio.sleep(seconds)
        inquiries = [inquiry(one.sides[0].case.rpartition("-")[2], one.other.id if one.other else "") for one in found]
        await asyncio.gather(store.record([sighted(one, BYRNE) for one in found]), beside.note_inquiries(inquiries))

    for number in range(12):
        case = f"p{number}"
        await deposited(store, case)
        found = [remote(case, f"x{n}") for n in range(8)]
        await asyncio.gather(beside.withdraw("dublin", case, 2.0), after(number * 0.001, found))
        assert await asyncio.to_thread(store.read_matches, ids(found)) == {}
        assert await store.alerts_of(ids(found)) == []
        assert await store.inquiries_of(public_id(case)) == []
    assert await store.waiting(9.0, 0.0) == []
    await store.close()
    await beside.close()


# Told


def telling(offers: Sequence[Offer], found: Match, *, broken: bool = False) -> Claim:
    """A claim by which spain is told of a match, if all cases are as they were found."""

    def decide(_account: Account, live: Sequence[Offer]) -> Decision:
        if broken:
            raise ValueError("a bug")
        if len(live) < len(offers):
            return Decision(stale=True)
        line = LedgerLine(1.0, Happened.TOLD, "spain", found.sides[0].case, "standard", "clinical")
        return Decision(tuple(one.key for one in live), (), (line,), 1, 1, sightings=(sighted(found, BYRNE),))

    return Claim("node spain", tuple(offers), decide)


async def test_a_match_and_its_alert_are_there_as_soon_as_the_line_of_the_ledger_is(open_store: OpenStore) -> None:
    store, beside = await open_store(), await open_store()
    cases = [one.case.kept for one in await store.deposit([draft(f"p{n}") for n in range(8)], 1.0)]
    found = [remote(case.id) for case in cases]

    async def watched(match: Match) -> None:
        while not await beside.lines_of(match.sides[0].case, 1):
            await asyncio.sleep(0)
        assert await beside.match(match.id)
        assert await beside.alerts_of([match.id]) == [alert(match)]

    watching = [asyncio.create_task(watched(one)) for one in found]
    for case, one in zip(cases, found, strict=True):
        decision = await store.settle(telling([Offer(case.key, case.version)], one))
        assert decision.told == (case.key,)
    await asyncio.gather(*watching)
    assert [one.number for one in await store.alerts_of(ids(found))] == [1] * len(found)
    await store.close()
    await beside.close()


async def test_a_claim_that_is_stale_or_fails_leaves_neither_match_nor_line_and_spoils_no_others(store: Store) -> None:
    kept, changed = (one.case.kept for one in await store.deposit([draft("p1"), draft("p2")], 1.0))
    await store.deposit([draft("p2", sharing="country")], 2.0)
    good, stale, broken = remote("p1"), remote("p2"), remote("p1", "x2")
    offer = Offer(kept.key, kept.version)
    done = await asyncio.gather(
        store.settle(telling([Offer(changed.key, changed.version)], stale)),
        store.settle(telling([offer], broken, broken=True)),
        store.settle(telling([offer], good)),
        return_exceptions=True,
    )
    assert isinstance(done[0], Decision)
    assert done[0].stale
    assert isinstance(done[1], ValueError)
    assert await owned_by(store) == [good.id]
    assert await store.alerts_of(ids([good, stale, broken])) == [alert(good)]
    assert len(await store.lines_of(public_id("p1"), 9)) == 1
    assert await store.lines_of(public_id("p2"), 9) == []


async def test_questions_told_of_one_case_at_once_each_leave_their_match(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    ((deposit),) = await stores[0].deposit([draft("p1")], 1.0)
    offer = Offer(deposit.case.kept.key, deposit.case.kept.version)
    found = [remote(other=f"x{n}") for n in range(12)]
    await asyncio.gather(*(stores[n % 2].settle(telling([offer], one)) for n, one in enumerate(found)))
    assert sorted(await owned_by(stores[1])) == sorted(ids(found))
    assert len(await stores[0].lines_of(public_id("p1"), 99)) == len(found)
    for store in stores:
        await store.close()


# Listed


async def test_matches_are_listed_by_owner_case_node_gene_score_status_and_time(store: Store) -> None:
    await deposited(store, "p1", "p2")
    await deposited(store, "c1", owner="cork")
    plain = remote("p1", "x1", now=1.0, score=0.5)
    genes = (gene("NCBIGene:1"), gene("NCBIGene:2"))
    with_genes = remote("p1", "x2", node="france", now=2.0, score=0.7, genes=genes)
    of_p2 = remote("p2", "x1", now=3.0, score=0.7, genes=genes[:1])
    of_cork = remote("c1", "x9", owner="cork", now=4.0, score=1.0, genes=genes)
    found = [plain, with_genes, of_p2, of_cork]
    await store.record([sighted(one, BYRNE) for one in found])
    contacted = side("p2", status=Status.CONTACTED)
    await store.change_match(of_p2.id, lambda known: Noted(known.model_copy(update={"sides": (contacted,)})))
    wanted = {
        Wanted("dublin"): [of_p2, with_genes, plain],
        Wanted("cork"): [of_cork],
        Wanted("galway"): [],
        Wanted("dublin", limit=2): [of_p2, with_genes],
        Wanted("dublin", case=public_id("p1")): [with_genes, plain],
        Wanted("dublin", case=public_id("c1", "cork")): [],
        Wanted("dublin", status=Status.NEW): [with_genes, plain],
        Wanted("dublin", status=Status.CONTACTED): [of_p2],
        Wanted("dublin", node="spain"): [of_p2, plain],
        Wanted("dublin", node="ireland"): [],
        Wanted("dublin", gene="NCBIGene:1"): [of_p2, with_genes],
        Wanted("dublin", gene="NCBIGene:2"): [with_genes],
        Wanted("dublin", gene="NCBIGene"): [],
        Wanted("dublin", min_score=0.7): [of_p2, with_genes],
        Wanted("dublin", min_score=0.71): [],
        Wanted("dublin", since=2.0): [of_p2],
        Wanted("dublin", since=1.0): [of_p2, with_genes],
        Wanted("dublin", public_id("p1"), Status.NEW, "france", "NCBIGene:2", 0.6, 1.5, (2.5, "")): [with_genes],
        Wanted("dublin", public_id("p2"), Status.NEW): [],
    }
    for question, expected in wanted.items():
        assert ids(await store.matches(question)) == ids(expected), question


async def test_the_owners_of_both_sides_list_a_pair_each_by_his_own_side(store: Store) -> None:
    await deposited(store, "p1", "p2")
    await deposited(store, "c1", owner="cork")
    two_owners = pair(side("p1", score=0.9, status=Status.CONTACTED), side("c1", "cork", score=0.3), score=0.6)
    one_owner = pair(side("p1", score=0.9, status=Status.SOLVED), side("p2", score=0.2), score=0.9)
    await store.record([Sighting(two_owners), Sighting(one_owner)])
    both = sorted(ids([two_owners, one_owner]), reverse=True)
    wanted = {
        Wanted("dublin"): both,
        Wanted("cork"): [two_owners.id],
        Wanted("dublin", min_score=0.8): both,
        Wanted("cork", min_score=0.4): [],
        Wanted("cork", min_score=0.3): [two_owners.id],
        Wanted("dublin", status=Status.CONTACTED): [two_owners.id],
        Wanted("cork", status=Status.CONTACTED): [],
        Wanted("dublin", case=public_id("p2")): [one_owner.id],
        Wanted("dublin", case=public_id("p2"), status=Status.SOLVED): [],
        Wanted("dublin", case=public_id("p2"), min_score=0.8): [],
    }
    for question, expected in wanted.items():
        assert ids(await store.matches(question)) == expected, question


async def test_a_match_is_hidden_from_an_owner_until_he_may_learn_of_it(store: Store) -> None:
    await deposited(store, "p1")
    await deposited(store, "c1", owner="cork")
    ours, theirs = side("p1"), side("c1", "cork", hidden=True)
    to_both = (Addressee(BYRNE, ours.case), Addressee(NUNEZ, theirs.case))
    found = pair(ours, theirs)
    await store.record([Sighting(found, to_both)])
    assert await owned_by(store, "dublin") == [found.id]
    assert await owned_by(store, "cork") == []
    assert [one.recipient for one in await store.alerts_of([found.id])] == [BYRNE]
    shown = pair(ours, side("c1", "cork"), now=2.0)
    assert ids(await store.record([Sighting(shown, to_both)])) == [found.id]
    assert await owned_by(store, "cork") == [found.id]
    assert [(one.recipient, one.number) for one in await store.alerts_of([found.id])] == [(BYRNE, 1), (NUNEZ, 2)]
    await store.record([Sighting(pair(ours, theirs, now=3.0), to_both)])
    assert await owned_by(store, "cork") == [], "he may not any more"


async def test_pages_of_matches_have_no_gap_and_repeat_none_where_many_changed_at_once(store: Store) -> None:
    await deposited(store, "p1")
    found = [remote(other=f"x{n}", now=1.25 + n % 3) for n in range(25)]
    await store.record([Sighting(one) for one in found])
    seen: list[Match] = []
    while page := await store.matches(
        Wanted("dublin", before=(seen[-1].changed_at, seen[-1].id) if seen else None, limit=4)
    ):
        assert len(page) <= 4
        seen += page
    assert sorted(ids(seen)) == sorted(ids(found))
    assert all((one.changed_at, one.id) > (two.changed_at, two.id) for one, two in pairwise(seen))
    assert ids(await store.matches(Wanted("dublin"))) == ids(seen)


# Changed


async def test_a_change_of_a_match_is_kept_with_the_alerts_that_it_queues(store: Store) -> None:
    await deposited(store, "p1")
    found = remote()
    await store.record([sighted(found, BYRNE)])
    solved = alert(found, NUNEZ, number=2, news=News.SOLVED, at=5.0, due=5.0)
    changed = await store.change_match(found.id, lambda known: Noted(noting("ä")(known).match, (solved,)))
    assert changed
    assert notes(changed) == ["ä"]
    assert await store.match(found.id) == changed
    assert await store.alerts_of([found.id]) == [alert(found), solved]
    assert await store.change_match("missing", noting("x")) is None


async def test_a_change_that_fails_changes_nothing_and_says_why(store: Store) -> None:
    await deposited(store, "p1")
    (before,) = await store.record([sighted(remote(), BYRNE)])

    def refuse(_known: Match) -> Noted:
        raise PermissionError("no more")

    with pytest.raises(PermissionError, match="no more"):
        await store.change_match(before.id, refuse)
    assert await store.match(before.id) == before
    assert len(await store.alerts_of([before.id])) == 1


async def test_of_changes_made_by_many_at_once_none_is_lost(open_store: OpenStore) -> None:
    """Also while the match is found again, stronger each time."""
    stores = [await open_store() for _ in range(2)]
    await deposited(stores[0], "p1")
    found = remote(score=0.1)
    await stores[0].record([sighted(found, BYRNE)])
    changes = [stores[n % 2].change_match(found.id, noting(str(n))) for n in range(20)]
    again = [stores[n % 2].record([sighted(remote(score=0.1 + 0.1 * n, now=2.0 + n), BYRNE)]) for n in range(4)]
    await asyncio.gather(*changes, *again)
    kept = await stores[1].match(found.id)
    assert sorted(int(note or "") for note in notes(kept)) == list(range(20))
    assert kept
    assert [one.number for one in await stores[0].alerts_of([found.id])] == list(range(1, kept.news + 1))
    for store in stores:
        await store.close()


async def test_what_a_peer_showed_long_ago_is_forgotten_and_all_else_stays(store: Store) -> None:
    await deposited(store, "p1")

    shared = {"sharedTerms": [{"id": "HP:1"}], "sharedGenes": [{"id": "ä"}]}
    related = {"query": {"id": "HP:2"}, "through": {"id": "HP:4"}}
    told = {**shared, "relatedTerms": [{**related, "match": {"id": "HP:3"}}], "others": ["HP:5"]}

    def answered(other: str, at: float) -> Match:
        shown = Other(id=other, contact=CONTACT, version="v", answer={"id": other}, answered_at=at, solution=Solution())
        kept = {"other": shown, "genes": (gene(),), "peer_score": 0.25, "explanation": told, "parts": {"raw": 0.5}}
        return remote(other=other).model_copy(update=kept)

    old, young, never = answered("x1", 10.0), answered("x2", 20.0), remote(other="x3", explanation=told)
    await store.record([sighted(one, BYRNE) for one in (old, young, never)])
    before = await asyncio.to_thread(store.read_matches, ids([old, young, never]))
    assert await store.forget_answers(20.0) == 1
    left = {
        "other": Other(id="x1", contact=CONTACT, version="v", answered_at=10.0, solution=Solution()),
        "explanation": {**shared, "relatedTerms": [{**related, "match": related["through"]}]},
        "parts": None,
    }
    assert await store.match(old.id) == before[old.id].model_copy(update=left)
    assert await store.match(young.id) == before[young.id]
    assert await store.match(never.id) == before[never.id]
    assert await store.forget_answers(20.0) == 0
    assert sorted(await owned_by(store)) == sorted(ids([old, young, never]))


async def test_a_match_that_is_seen_no_more_is_forgotten_unless_somebody_looked_after_it(store: Store) -> None:
    await deposited(store, "p1", "p2")
    gone = [remote(other="x1", genes=(gene(),)), pair(side("p1"), side("p2"))]
    seen, noted, young = remote(other="x2"), remote(other="x3"), remote(other="x4", now=2.0)
    found = [*gone, seen, noted, young]
    await store.record([sighted(one, BYRNE) for one in found])
    await store.change_match(noted.id, noting("ä"))
    await store.record([sighted(remote(other="x2", now=5 * DAY), BYRNE)])
    assert await store.forget_unseen(2.0) == 2
    assert sorted(await owned_by(store)) == sorted(ids([seen, noted, young]))
    assert await store.matches(Wanted("dublin", gene=gene().key)) == []
    assert await store.matches(Wanted("dublin", case=public_id("p2"))) == []
    assert {one.match for one in await store.alerts_of(ids(found))} == set(ids([seen, noted, young]))
    assert [(one.recipient, one.alerts) for one in await store.waiting(1e9, 0.0)] == [(BYRNE, 3)]
    assert await store.forget_unseen(2.0) == 0
    assert await store.forget_unseen(1e9) == 2
    assert await owned_by(store) == [noted.id]


# Withdrawn


async def test_a_withdrawal_takes_all_that_was_known_of_the_case_with_it_and_nothing_else(store: Store) -> None:
    await deposited(store, "p1", "p10")
    await deposited(store, "c1", owner="cork")
    between = pair(side("p1"), side("c1", "cork"))
    gone = [remote("p1"), remote("p1", node="france"), between]
    kept = [remote("p10"), remote("c1", owner="cork"), pair(side("p10"), side("c1", "cork"))]
    await store.record([sighted(one, BYRNE, NUNEZ) for one in (*gone, *kept)])
    await store.record(
        [Sighting(pair(side("p1"), side("c1", "cork"), score=0.9), (Addressee(BYRNE, side("p1").case),))]
    )
    assert await store.gather([mail(recipient=NUNEZ)], 9.0) == 1
    await store.note_inquiries([inquiry("p1", results=3), inquiry("p1", "france", asked_at=None), inquiry("p10")])
    for subject in (public_id("p1"), public_id("p10"), BYRNE):
        await store.put_choices(subject, Choices(muted=True))
    waits = [public_id("p1"), public_id("p10")]
    asks = [f"{one} {peer}" for one in waits for peer in ("spain", "france")]
    await store.queue_work([*(Work(SEARCH, one, 1, 7.0) for one in waits), *(Work(ASK, one, 1, 7.0) for one in asks)])
    claimed = await store.claim([ASK], "worker", 8.0, 60.0)
    assert claimed
    await store.write_ledger(
        [
            LedgerLine(1.0, Happened.ASKED, "spain", public_id("p1")),
            LedgerLine(1.0, Happened.ASKED, "france", public_id("p10")),
        ]
    )
    assert await store.withdraw("dublin", "p1", 100.0)

    assert await asyncio.to_thread(store.read_matches, ids([*gone, *kept])) == {one.id: first_kept(one) for one in kept}
    assert sorted(await owned_by(store, "cork")) == sorted(ids(kept[1:]))
    assert {one.match for one in await store.alerts_of(ids([*gone, *kept]))} == set(ids(kept))
    assert sorted(one.match for one in await store.carried("m1", 99)) == sorted(ids(kept))
    assert [(one.recipient, one.alerts) for one in await store.waiting(200.0, 0.0)] == [(BYRNE, 3)]
    assert await store.inquiries_of(public_id("p1")) == []
    assert await store.inquiries_of(public_id("p10")) == [inquiry("p10")]
    asked = await store.take_turn("spain", public_id("p10"), 0.0, unchanged)
    assert asked == Asked(times=(1.0, 1.0), among=True), "it was asked about both, all the same"
    assert set(await store.choices()) == {public_id("p10"), BYRNE}
    queued = {(one.kind, one.subject): one.due for one in await store.queued()}
    assert queued == {
        (SEARCH, public_id("p10")): 7.0,
        (ASK, f"{public_id('p10')} spain"): 7.0,
        (ASK, f"{public_id('p10')} france"): 7.0,
        (MAIL, "m1"): 2.0,
        (SWEEP, public_id("p1")): 100.0,
        (NOTICE, f"{public_id('p1')} spain"): 100.0 + NOTICE_AFTER_SECONDS,
    }
    left = re.compile(rb'public-dublin-p1[\\"]')
    entries = [entry async for batch in store.export() for entry in batch]
    assert {kind for kind, values in entries if left.search(line_of((kind, values)))} == {
        "case",
        "audit",
        "line",
        "work",
        "inquiry",
    }
    inquiries = [values for kind, values in entries if kind == "inquiry" and values[0] == public_id("p1")]
    assert [Inquiry.parse(values[2]) for values in inquiries] == [
        Inquiry(case=public_id("p1"), node="spain", at=1.0, asked_at=1.0, status="withdrawn")
    ]


# Asked


async def test_the_last_outcome_of_asking_each_node_about_a_case_is_kept(store: Store) -> None:
    await deposited(store, "p1", "p2", "gone")
    await store.withdraw("dublin", "gone", 2.0)
    first = [inquiry("p1", "spain"), inquiry("p1", "france", results=3, reason="ä"), inquiry("p2", "spain")]
    await store.note_inquiries([*first, inquiry("gone"), inquiry("never")])
    assert await store.inquiries_of(public_id("p1")) == [first[1], first[0]], "by node"
    failed = inquiry("p1", "spain", 9.5, status="timed out", asked_at=None, failures=2)
    await store.note_inquiries([failed])
    assert await store.inquiries_of(public_id("p1")) == [first[1], failed]
    assert await store.inquiries_of(public_id("p2")) == [first[2]]
    assert await store.inquiries_of(public_id("gone")) == await store.inquiries_of(public_id("never")) == []
    await store.note_inquiries([])


async def test_what_a_node_was_asked_and_who_waits_before_a_case_is_told(store: Store) -> None:
    cases = [f"p{n}" for n in range(8)]
    await deposited(store, *cases)

    def waits(case_id: str, since: float, asked_at: float | None = None) -> None:
        noted.append(inquiry(case_id, "spain", since, status="waiting", asked_at=asked_at))

    noted = [
        inquiry("p0", at=30.0),
        inquiry("p1", at=20.0),
        inquiry("p2", at=10.0),
        inquiry("p0", "france", at=25.0),
        inquiry("p3", at=40.0, status="not asked", asked_at=None),
    ]
    waits("p4", 50.0)
    waits("p6", 45.0)
    waits("p5", 50.0, asked_at=21.0)
    await store.note_inquiries(noted)
    await store.note_inquiries([inquiry("p7", "france", 1.0, status="waiting", asked_at=None)])
    times = (20.0, 21.0, 30.0)
    expected = {
        "p0": Asked(times=times, among=True, waiting=3, before=3),  # it does not wait: all have waited longer
        "p2": Asked(times=times, among=False, waiting=3, before=3),  # its time is past
        "p6": Asked(times=times, among=False, waiting=2, before=0),
        "p4": Asked(times=times, among=False, waiting=2, before=1),
        "p5": Asked(times=times, among=True, waiting=2, before=2),  # as long as p4: in the order of their ids
    }
    for case_id, asked in expected.items():
        assert await store.take_turn("spain", public_id(case_id), 10.0, unchanged) == asked, case_id
    assert await store.take_turn("italy", public_id("p0"), 0.0, unchanged) == Asked()
    assert await store.inquiries_of(public_id("p0")) == [noted[3], noted[0]], "nothing was changed"


async def test_a_turn_is_decided_by_what_is_known_and_kept_unless_the_case_is_withdrawn(store: Store) -> None:
    await deposited(store, "p1", "p2", "gone")
    await store.withdraw("dublin", "gone", 2.0)
    await store.note_inquiries([inquiry("p1", failures=2), inquiry("p2", at=3.0)])
    given: list[tuple[Asked, Inquiry | None]] = []

    def decide(wanted: Inquiry) -> Callable[[Asked, Inquiry | None], Inquiry]:
        def decided(asked: Asked, known: Inquiry | None) -> Inquiry:
            given.append((asked, known))
            return wanted

        return decided

    waits = inquiry("p1", at=9.0, status="waiting", asked_at=None)
    before = await store.take_turn("spain", public_id("p1"), 0.5, decide(waits))
    assert before == Asked(times=(1.0, 3.0), among=True)
    assert given[-1] == (before, inquiry("p1", failures=2))
    assert await store.inquiries_of(public_id("p1")) == [waits]
    after = await store.take_turn("spain", public_id("p2"), 0.5, decide(inquiry("p2", at=9.0)))
    assert after == Asked(times=(3.0,), among=True, waiting=1, before=1)
    assert await store.inquiries_of(public_id("p2")) == [inquiry("p2", at=9.0)]
    await store.take_turn("france", public_id("gone"), 0.5, decide(inquiry("gone", "france")))
    assert given[2:] == [(Asked(), None)]
    assert await store.inquiries_of(public_id("gone")) == []

    def refuse(_asked: Asked, _known: Inquiry | None) -> None:
        raise PermissionError("no more")

    with pytest.raises(PermissionError, match="no more"):
        await store.take_turn("spain", public_id("p1"), 0.5, refuse)


async def test_of_cases_that_take_their_turn_at_once_only_as_many_come_as_were_agreed_on(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    cases = [f"p{n}" for n in range(12)]
    await deposited(stores[0], *cases)
    for node in ("spain", "france"):
        turns = []
        for number, case in enumerate(cases):

            def decide(asked: Asked, _known: Inquiry | None, case: str = case, node: str = node) -> Inquiry | None:
                return inquiry(case, node, 5.0) if len(asked.times) < 4 else None

            turns.append(stores[number % 2].take_turn(node, public_id(case), 1.0, decide))
        seen = await asyncio.gather(*turns)
        assert sorted(len(one.times) for one in seen) == [0, 1, 2, 3] + [4] * 8
        assert len((await stores[0].take_turn(node, public_id("p0"), 1.0, unchanged)).times) == 4
    for store in stores:
        await store.close()


async def test_how_a_peer_stands_is_written_down_only_when_it_stands_otherwise(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    assert await stores[0].note_health("spain", lambda known: known) == PeerHealth(name="spain")
    assert await stores[0].healths() == {}

    def failed(known: PeerHealth) -> PeerHealth:
        return known.model_copy(update={"failures": known.failures + 1})

    await asyncio.gather(*(stores[n % 2].note_health("spain", failed) for n in range(10)))
    good = PeerHealth(name="france", last_success_at=1.5, elapsed_ms=7)
    assert await stores[1].note_health("france", lambda _known: good) == good
    expected = {"france": good, "spain": PeerHealth(name="spain", failures=10)}
    assert list((await stores[0].healths()).items()) == list(expected.items())
    for store in stores:
        await store.close()


# Work


async def test_work_that_is_queued_again_stays_one_piece_with_the_earlier_time(store: Store) -> None:
    await store.queue_work(
        [Work(ASK, "p1 spain", 1, 50.0), Work(ASK, "p1 france", 1, 50.0), Work(SEARCH, "p1", 1, 9.0)]
    )
    await store.queue_work([Work(ASK, "p1 spain", 2, 90.0), Work(ASK, "p1 france", 2, 20.0)])
    queued = {f"{one.kind} {one.subject}": (one.revision, one.due, one.attempts) for one in await store.queued()}
    assert queued == {"ask p1 spain": (2, 50.0, 0), "ask p1 france": (2, 20.0, 0), "search p1": (1, 9.0, 0)}
    await store.queue_work([])


async def test_work_that_is_done_again_later_waits_until_then(store: Store) -> None:
    await store.queue_work([Work(SEARCH, "p1", 1, 5.0)])
    held = await store.claim([SEARCH], "a", 6.0, 60.0)
    assert held
    assert await store.postpone(held, 500.0) is True
    (work,) = await store.queued()
    assert work == Work(SEARCH, "p1", 1, 500.0)
    assert await store.postpone(held, 900.0) is False, "nobody holds it"
    assert await store.claim([SEARCH], "b", 499.0, 999.0) is None
    assert await store.claim([SEARCH], "b", 500.0, 999.0)


async def test_work_that_was_queued_anew_meanwhile_is_done_again_at_once(store: Store) -> None:
    await store.queue_work([Work(SEARCH, "p1", 1, 5.0)])
    held = await store.claim([SEARCH], "a", 6.0, 60.0)
    assert held
    await store.queue_work([Work(SEARCH, "p1", 2, 30.0)])
    assert await store.postpone(held, 500.0) is True
    assert await store.queued() == [Work(SEARCH, "p1", 2, 5.0)]


async def test_a_worker_that_lost_its_lease_postpones_nothing(store: Store) -> None:
    await store.queue_work([Work(SEARCH, "p1", 1, 5.0)])
    late = await store.claim([SEARCH], "a", 6.0, 60.0)
    now = await store.claim([SEARCH], "b", 60.0, 120.0)
    assert late
    assert now
    assert await store.postpone(late, 500.0) is False
    assert await store.queued() == [now]
    assert await store.finish(now) is True
    assert await store.postpone(now, 500.0) is False
    assert await store.queued() == []


async def test_every_live_case_is_searched_with_once_and_not_all_at_a_time(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(2)]
    cases = [f"p{n}" for n in range(30)]
    await deposited(stores[0], *cases, "gone")
    await stores[0].withdraw("dublin", "gone", 2.0)
    waits = Work(SEARCH, public_id("p7"), 8, 5.0)
    await stores[0].queue_work([waits])
    assert sum(await asyncio.gather(*(store.queue_searches(100.0, 50.0) for store in stores))) == 29
    searches = [one for one in await stores[1].queued() if one.kind == SEARCH]
    assert sorted(one.subject for one in searches) == sorted(map(public_id, cases))
    assert waits in searches, "it stays as it is"
    fresh = [one for one in searches if one != waits]
    assert all(100.0 <= one.due < 150.0 for one in fresh)
    assert len({one.due for one in fresh}) > 20
    assert sorted(one.revision for one in searches) == list(range(1, 31))
    assert await stores[0].queue_searches(200.0, 50.0) == 0
    for store in stores:
        await store.close()


async def test_who_is_yet_to_be_told_of_a_withdrawal_is_told(store: Store) -> None:
    await deposited(store, "p1", "p10")
    lines = [LedgerLine(1.0, Happened.ASKED, who, public_id("p1")) for who in ("spain", "new york", "ä")]
    await store.write_ledger([*lines, LedgerLine(1.0, Happened.ASKED, "italy", public_id("p10"))])
    for case in ("p1", "p10"):
        await store.withdraw("dublin", case, 2.0)
    assert await store.notices_of(public_id("p1")) == ["new york", "spain", "ä"]
    assert await store.notices_of(public_id("p10")) == ["italy"]
    assert await store.notices_of(public_id("p")) == []
    held = await store.claim([NOTICE], "worker", 99.0, 999.0)
    assert held
    assert await store.finish(held)
    assert len(await store.notices_of(public_id("p1"))) + len(await store.notices_of(public_id("p10"))) == 3
