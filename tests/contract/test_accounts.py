"""What every store keeps of accounts, and what it tells pages of many cases at once."""

from dataclasses import replace

import pytest

from matchmaker.records.account import Credentials, Session, SessionKind
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.match import Status
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.work import Work
from matchmaker.store.base import Store
from matchmaker.store.kept_accounts import Told, Whose
from matchmaker.store.kept_matches import Wanted
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft
from tests.matches import BYRNE, NUNEZ, public_id, remote, sighted

PERSON = Person(email=BYRNE, institution="Dublin", role=PersonRole.CLINICIAN)


def session(digest: str = "d1", email: str = BYRNE, created_at: float = 5.0, seen_at: float = 6.0) -> Session:
    return Session(digest=digest, email=email, kind=SessionKind.OPEN, created_at=created_at, seen_at=seen_at)


async def test_credentials_are_changed_all_at_once_and_found_by_subject_and_invitation(
    store: Store, open_store: OpenStore
) -> None:
    assert await store.credentials(BYRNE) is None
    kept = await store.change_credentials(
        BYRNE, lambda known: known.model_copy(update={"password": "$argon2id$…", "subject": "https://i s-1"})
    )
    assert kept == Credentials(email=BYRNE, password="$argon2id$…", subject="https://i s-1")
    kept = await store.change_credentials(
        BYRNE, lambda known: known.model_copy(update={"invitation": "ab", "invited_until": 9.5, "recovery": ("a", "b")})
    )
    assert kept.password == "$argon2id$…", "the rest stays"
    beside = await open_store()
    assert await beside.credentials(BYRNE) == kept
    assert await beside.credentials_of_subject("https://i s-1") == kept
    assert await beside.credentials_of_invitation("ab") == kept
    assert await beside.credentials_of_subject("https://i s-2") is None
    assert await beside.credentials_of_invitation("") is None
    await beside.close()


async def test_a_session_is_known_with_its_person_until_it_ends(store: Store) -> None:
    await store.put_session(session())
    assert await store.signed_in("d1") == (session(), None), "nobody has that address"
    await store.put_person(PERSON)
    later = session(seen_at=7.0)
    await store.put_session(later)
    assert await store.signed_in("d1") == (later, PERSON)
    assert await store.signed_in("D1") is None
    await store.end_session("d1")
    assert await store.signed_in("d1") is None


@pytest.mark.parametrize(
    "change", [{"disabled_at": 8.0}, {"role": PersonRole.OPERATOR}, {"institution": "Cork"}, {"waiting": True}]
)
async def test_sessions_end_at_once_when_a_person_may_do_something_else(
    store: Store, change: dict[str, object]
) -> None:
    await store.put_person(PERSON)
    await store.put_session(session())
    await store.put_session(session("d2", NUNEZ))
    await store.put_person(PERSON.model_copy(update={"language": "es", "agreed_at": 3.0}))
    assert await store.signed_in("d1") is not None, "another language changes nothing"
    await store.put_person(PERSON.model_copy(update=change))
    assert await store.signed_in("d1") is None
    assert await store.signed_in("d2") is not None, "somebody else's"


async def test_all_sessions_but_one_end_and_those_that_are_over_are_forgotten(store: Store) -> None:
    for digest in ("d1", "d2", "d3"):
        await store.put_session(session(digest))
    assert await store.end_sessions(BYRNE, but="d2") == 2
    assert await store.signed_in("d2") is not None
    await store.put_session(session("old", created_at=1.0, seen_at=6.0))
    await store.put_session(session("idle", created_at=5.0, seen_at=2.0))
    assert await store.forget_sessions(created_before=2.0, seen_before=3.0) == 2
    assert [digest for digest in ("d2", "old", "idle") if await store.signed_in(digest)] == ["d2"]
    assert await store.end_sessions(BYRNE) == 1


async def test_credentials_are_copied_and_sessions_are_not(store: Store) -> None:
    await store.change_credentials(BYRNE, lambda known: known.model_copy(update={"password": "x"}))
    await store.put_session(session())
    entries = [entry async for batch in store.export() for entry in batch]
    assert [values[0] for kind, values in entries if kind == "credentials"] == [BYRNE]
    assert "d1" not in {value for _, values in entries for value in values if isinstance(value, str)}


async def test_cases_are_listed_latest_first_for_an_owner_or_one_of_its_people(store: Store) -> None:
    for number, person in enumerate((BYRNE, NUNEZ, BYRNE, None)):
        await store.deposit([replace(draft(f"p{number}"), person=person)], float(number))
    await store.deposit([replace(draft("p0"), family="F", person=BYRNE)], 9.0)
    await store.withdraw("dublin", "p2", 10.0)
    await store.deposit([replace(draft("c1", owner="cork"), person=BYRNE)], 11.0)

    async def listed(whose: Whose, before: tuple[float, str] | None = None, limit: int = 9) -> list[str]:
        return [case.id for case in await store.latest_cases(whose, before, limit)]

    assert await listed(Whose("dublin")) == ["p0", "p3", "p1"]
    assert await listed(Whose("dublin"), limit=1) == ["p0"]
    assert await listed(Whose("dublin"), (9.0, public_id("p0"))) == ["p3", "p1"]
    assert await listed(Whose("dublin", BYRNE)) == ["p0"]
    assert await listed(Whose("cork", BYRNE)) == ["c1"]
    assert await listed(Whose("dublin", "nobody@x.example")) == []
    assert await store.count_cases_of(Whose("dublin")) == 3
    assert await store.count_cases_of(Whose("dublin", NUNEZ)) == 1
    assert await store.public_ids_of(Whose("dublin", BYRNE)) == [public_id("p0")]


async def test_matches_of_some_cases_are_counted_by_status_and_listed(store: Store) -> None:
    await store.deposit([draft("p1"), draft("p2"), draft("p3")], 1.0)
    await store.record([sighted(remote(*one)) for one in (("p1", "x1"), ("p1", "x2"), ("p2", "x3"))])
    cases = [public_id("p1"), public_id("p3")]
    assert await store.count_matches(cases) == {public_id("p1"): {Status.NEW: 2}}
    assert await store.count_matches([]) == {}
    found = await store.matches(Wanted("dublin", cases=(public_id("p2"), public_id("p3"))))
    assert [match.other.id for match in found if match.other] == ["x3"]
    assert await store.matches(Wanted("dublin", cases=())) == []
    assert await store.matches(Wanted("cork", cases=(public_id("p2"),))) == []


async def test_what_came_of_asking_is_listed_for_many_cases(store: Store) -> None:
    await store.deposit([draft("p1"), draft("p2")], 1.0)
    asked = [Inquiry(case=public_id("p1"), node=node, at=2.0, status="answered") for node in ("spain", "france")]
    await store.note_inquiries(asked)
    assert await store.inquiries_about([public_id("p1"), public_id("p2")]) == {public_id("p1"): asked[::-1]}


async def test_it_is_told_who_learned_of_cases_and_how_often(store: Store) -> None:
    await store.deposit([draft("p1"), draft("p2")], 1.0)
    case = public_id("p1")
    kinds = ((Happened.TOLD, "spain", 2.0), (Happened.TOLD, "spain", 5.0), (Happened.ASKED, "france", 3.0))
    lines = [LedgerLine(at, kind, who, case) for kind, who, at in kinds]
    lines += [LedgerLine(4.0, kind, "italy", case) for kind in (Happened.ASKED, Happened.UNSENT)]
    await store.write_ledger([*lines, LedgerLine(6.0, Happened.ANSWERED, "spain", "")])
    told = await store.told_of([case, public_id("p2")])
    assert told == {case: [Told("france", 1, 3.0), Told("spain", 2, 5.0)]}, "italy's question never left"
    assert await store.told_of([]) == {}


async def test_the_work_that_waits_about_a_case_is_listed(store: Store) -> None:
    await store.deposit([draft("p1"), draft("p2")], 1.0)
    ours = [Work("ask", f"{public_id('p1')} spain", 1, 5.0), Work("search", public_id("p1"), 1, 5.0)]
    await store.queue_work([*ours, Work("search", public_id("p2"), 2, 5.0)])
    assert await store.work_about(public_id("p1")) == ours


async def test_a_person_is_changed_as_it_is_in_that_moment(store: Store) -> None:
    assert await store.change_person(BYRNE, lambda one: one) is None
    await store.put_person(PERSON)
    await store.put_session(session())
    seen = (await store.revisions()).parties
    changed = await store.change_person(BYRNE, lambda one: one.model_copy(update={"language": "es"}))
    assert changed == PERSON.model_copy(update={"language": "es"})
    assert await store.people() == [changed]
    assert (await store.revisions()).parties > seen, "a running node is told of it"
    assert await store.signed_in("d1") is not None
    await store.change_person(BYRNE, lambda one: one.model_copy(update={"disabled_at": 7.0}))
    assert await store.signed_in("d1") is None
