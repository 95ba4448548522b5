"""What every store keeps of people: who works with the cases, what they chose, and which cases are whose."""

import asyncio
from dataclasses import replace

from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.person import Person, PersonRole
from matchmaker.store.base import Draft, Outcome, Store
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft
from tests.matches import BYRNE, NUNEZ, public_id

PERSON = Person(email=BYRNE, institution="Ünïcode 漢字", role=PersonRole.CLINICIAN, language="ga", created_at=1.5)
OTHER = Person(email="admin@hospital.example", institution="Dublin", role=PersonRole.OPERATOR)


def owned(case_id: str = "p1", person: str | None = BYRNE, family: str | None = "F-1") -> Draft:
    return replace(draft(case_id), person=person, family=family)


async def test_a_person_is_kept_replaced_and_listed_by_address_and_each_change_is_noticed(
    store: Store, open_store: OpenStore
) -> None:
    beside = await open_store()
    seen = [(await beside.revisions()).parties]
    changed = PERSON.model_copy(update={"role": PersonRole.CURATOR, "disabled_at": 9.25})
    for person, was_there in ((PERSON, False), (OTHER, False), (changed, True)):
        assert await store.put_person(person) is was_there
        seen.append((await beside.revisions()).parties)
    assert await store.people() == await beside.people() == [OTHER, changed], "who is disabled is listed, too"
    assert seen == sorted(set(seen)), "a running node is told of each"
    assert (await store.revisions()).cases == 0
    await beside.close()


async def test_choices_are_kept_replaced_and_listed_by_subject_and_each_change_is_noticed(
    store: Store, open_store: OpenStore
) -> None:
    beside = await open_store()
    assert await store.choices() == {}
    seen = [(await beside.revisions()).parties]
    first = Choices(frequency=Frequency.WEEKLY, language="es", min_score=0.0, muted_genes=("A", "ä"), snoozed_until=7.5)
    second = Choices(frequency=Frequency.NEVER)
    of_case = Choices(muted=True, muted_nodes=("spain",), only_new=True, min_score_by_phenotype=0.75)
    for subject, choices in ((NUNEZ, first), (BYRNE, first), (public_id(), of_case), (NUNEZ, second)):
        await store.put_choices(subject, choices)
        seen.append((await beside.revisions()).parties)
    expected = {BYRNE: first, NUNEZ: second, public_id(): of_case}
    assert list((await store.choices()).items()) == list((await beside.choices()).items()) == list(expected.items())
    assert seen == sorted(set(seen)), "a running node is told of each"
    await beside.close()


async def test_a_case_has_its_person_and_its_family_in_every_answer(store: Store) -> None:
    (new, bare) = await store.deposit([owned(), draft("p2")], 1.0)
    assert (new.outcome, new.case.person, new.case.family) == (Outcome.NEW, BYRNE, "F-1")
    assert (bare.case.person, bare.case.family) == (None, None)
    assert await store.case("dublin", "p1") == await store.case_known(public_id()) == new.case
    assert await store.cases_of("dublin", "", 9) == [new.case, bare.case]
    keys = [new.case.kept.key, bare.case.kept.key]
    read = await asyncio.to_thread(store.read_cases, keys)
    assert [(read[key].person, read[key].family) for key in keys] == [(BYRNE, "F-1"), (None, None)]
    followed = [case async for batch in store.changes_since(0) for case in batch]
    assert followed == [new.case.kept, bare.case.kept]


async def test_the_same_case_of_another_person_or_family_is_a_changed_one(store: Store) -> None:
    drafts = [owned(), owned(), owned(person=NUNEZ), owned(person=NUNEZ, family=None), owned(person=None, family=None)]
    deposits = [(await store.deposit([one], float(n)))[0] for n, one in enumerate(drafts)]
    assert [one.outcome for one in deposits] == [
        Outcome.NEW,
        Outcome.UNCHANGED,
        Outcome.CHANGED,
        Outcome.CHANGED,
        Outcome.CHANGED,
    ]
    assert len({one.case.kept.version for one in deposits}) == 4, "a reader that follows sees each"
    case = await store.case("dublin", "p1")
    assert case
    assert (case.person, case.family, case.public_id) == (None, None, public_id())


async def test_a_withdrawn_case_is_nobodys_and_of_no_family(store: Store) -> None:
    await store.deposit([owned()], 1.0)
    left = await store.withdraw("dublin", "p1", 2.0)
    assert left
    assert (left.person, left.family) == (None, None)
    assert await store.case_known(public_id()) == left
    told = str([values async for batch in store.export() for _, values in batch])
    assert BYRNE not in told
    assert "F-1" not in told
