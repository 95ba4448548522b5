"""Who sees which case and which match: one's own, those that the hospital's system says so of, a curator's all."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matchmaker.exchange import desk as at_desk
from matchmaker.exchange.follow_up import Filter
from matchmaker.exchange.match_messages import MatchChange
from matchmaker.mme.errors import InvalidRequest, NotFound
from matchmaker.mme.validation import validate
from matchmaker.policy.names import name_for
from matchmaker.records.case import Case
from matchmaker.records.match import Status
from matchmaker.records.party import Role
from matchmaker.records.person import PersonRole
from matchmaker.records.sharing import Circle, Sharing
from tests.clock import Clock
from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json
from tests.web.people import ANA, BEN, CHEAP, CORK, CURATOR, DUBLIN, FEATURES, OPERATOR, add, desk, keep, patient
from tests.web.test_matches_api import ask, call, put

CIARA, ELSEWHERE = "ciara@cork.example", "curator@cork.example"
EVERYBODY = (ANA, BEN, CURATOR, CIARA, ELSEWHERE, OPERATOR)


@pytest.fixture
async def node(start_node: StartNode) -> Any:
    """Two hospitals, each with a system, clinicians and a curator; Ana and Ben are at the first."""
    async with start_node(**CHEAP) as running:
        for email, role, institution in (
            (ANA, PersonRole.CLINICIAN, DUBLIN), (BEN, PersonRole.CLINICIAN, f"  {DUBLIN.upper()} "),
            (CURATOR, PersonRole.CURATOR, DUBLIN), (CIARA, PersonRole.CLINICIAN, CORK),
            (ELSEWHERE, PersonRole.CURATOR, CORK), (OPERATOR, PersonRole.OPERATOR, DUBLIN),
        ):  # fmt: skip
            await add(running, email, role, institution)
        yield running


async def hospital(node: RunningNode, name: str = "dublin", institution: str = DUBLIN) -> dict[str, str]:
    return await node.add_client(name, Role.DEPOSITOR, institution=institution)


async def deposited(
    node: RunningNode, token: dict[str, str], case_id: str, owner: str | None = None, **told: Any
) -> Case:
    await put(node, token, case_id, **({"owner": owner} if owner else {}), **told)
    case = await node.exchange.store.case("dublin", case_id)
    assert case
    return case


async def who_sees(node: RunningNode, case: Case) -> set[str]:
    """Whoever opens a case, has it in the list, and finds it by its id: all three, or none."""
    seen = set()
    for email in EVERYBODY:
        mine = desk(node, email)
        listed = case.public_id in {row.case.public_id for row in await mine.cases(None, 100)}
        found = [await mine.find(quoted) for quoted in (case.id, case.public_id, case.public_id.upper())]
        try:
            opened = (await mine.case(case.public_id)).public_id == case.public_id
        except NotFound:
            opened = False
        assert {listed, opened} == {opened}, email
        assert {one is not None and one.public_id == case.public_id for one in found} == {opened}, email
        if opened:
            seen.add(email)
    return seen


async def test_a_case_of_the_pages_is_seen_by_its_clinician_and_curator(node: RunningNode) -> None:
    assert await who_sees(node, await keep(node)) == {ANA, CURATOR}


async def test_a_case_of_the_hospitals_system_is_seen_by_whom_it_names(node: RunningNode) -> None:
    token = await hospital(node)
    assert await who_sees(node, await deposited(node, token, "p1", ANA)) == {ANA, CURATOR}
    assert await who_sees(node, await deposited(node, token, "p2", BEN)) == {BEN, CURATOR}
    assert await who_sees(node, await deposited(node, token, "p3")) == {CURATOR}


async def test_a_system_of_no_institution_or_of_another_names_nobody_here(node: RunningNode) -> None:
    for name, institution in (("cork", CORK), ("lonely", None)):
        token = await node.add_client(name, Role.DEPOSITOR, institution=institution)
        body = {"patient": patient_json("p1"), "sharing": {"with": "all"}, "owner": ANA}
        assert (await call(node, "PUT", "/api/cases/p1", token, body))[0] == 422
        await put(node, token, "p2")
        case = await node.exchange.store.case(name, "p2")
        assert case
        assert await who_sees(node, case) == ({ELSEWHERE} if institution else set())


async def test_a_withdrawn_case_is_nobodys_and_its_id_is_taken_for_ever(node: RunningNode) -> None:
    case = await keep(node)
    await desk(node).withdraw(case.public_id)
    assert await who_sees(node, case) == set()
    assert await desk(node).is_taken("martin")
    for action in (desk(node).withdraw, desk(node).search_again, desk(node).preview, desk(node).report):
        with pytest.raises(NotFound):
            await action(case.public_id)


async def test_who_moves_to_another_hospital_takes_no_case_of_the_former_ones_system_along(node: RunningNode) -> None:
    token = await hospital(node)
    case = await deposited(node, token, "p1", ANA)
    await add(node, ANA, PersonRole.CLINICIAN, CORK)
    assert await who_sees(node, case) == {CURATOR}


async def test_nobody_without_an_institution_sees_anothers_case(node: RunningNode) -> None:
    await add(node, "new@x.example", PersonRole.CURATOR, "")
    await add(node, "old@x.example", PersonRole.CURATOR, "")
    case = await keep(node)
    assert await desk(node, "new@x.example").cases(None, 10) == []
    with pytest.raises(NotFound):
        await desk(node, "new@x.example").case(case.public_id)


async def test_all_that_is_done_with_anothers_case_answers_as_with_a_missing_one(node: RunningNode) -> None:
    case = await keep(node)
    for email in (BEN, CIARA, ELSEWHERE, OPERATOR):
        mine = desk(node, email)
        said = set()
        for public_id in (case.public_id, "0" * 32, "martin", ""):
            actions = (
                mine.case(public_id), mine.withdraw(public_id), mine.preview(public_id), mine.search_again(public_id),
                mine.progress(public_id), mine.report(public_id), mine.questions(public_id),
                mine.matches(Filter(case=public_id)),
                mine.change(public_id, patient(), Sharing(Circle.ALL), None),
            )  # fmt: skip
            for action in actions:
                with pytest.raises(NotFound) as error:
                    await action
                said.add(str(error.value))
        assert len(said) == 1
        assert await mine.ids_of([case.public_id]) == {}
    assert (await node.exchange.store.case(ANA, "martin")) == case


async def test_a_curator_changes_a_case_in_its_owners_name(node: RunningNode) -> None:
    token = await hospital(node)
    case = await deposited(node, token, "p1", ANA)
    changed = await desk(node, CURATOR).change(case.public_id, patient("another id"), Sharing(Circle.NONE), None)
    assert (changed.case.owner, changed.case.id, changed.case.person) == ("dublin", "p1", ANA)
    assert await who_sees(node, changed.case) == {ANA, CURATOR}


async def test_a_case_is_found_by_the_id_that_somebody_quotes_and_by_the_own_id_first(node: RunningNode) -> None:
    await node.add_client("spain")
    await node.add_peer("france", "http://127.0.0.1:9", "FR")
    token = await hospital(node)
    case = await deposited(node, token, "p1", ANA)
    for name in ("spain", "france", "dublin"):
        quoted = name_for(name, case.public_id)
        found = await desk(node).find(quoted.upper())
        assert found
        assert found.id == "p1"
        assert await desk(node).find(f"{quoted}0") is None
        assert await desk(node, BEN).find(quoted) is None
        assert await desk(node, CIARA).find(quoted) is None
    trap = await keep(node, name_for("spain", case.public_id), email=BEN)
    assert await desk(node, BEN).find(trap.id) == trap
    found = await desk(node).find(trap.id)
    assert found
    assert found.id == "p1"
    for nothing in ("nothing", "", quoted[:-1], f"x{quoted[1:]}", "0" * 32, "\u0660" * 32):
        assert await desk(node).find(nothing) is None


async def test_what_is_no_id_of_other_nodes_is_looked_for_among_own_ids_only(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each case has an id for each node: to look through them all takes time, and anybody may type anything."""
    await keep(node)
    looked: list[str] = []
    monkeypatch.setattr(at_desk, "known_among", lambda _ids, _names, quoted: looked.append(quoted))
    for quoted in ("p", "martina", "f" * 31, "f" * 33, "g" * 32, "x" * 5_000):
        assert await desk(node).find(quoted) is None
    assert looked == []
    assert await desk(node).find("F" * 32) is None
    assert looked == ["f" * 32]


async def test_only_the_persons_own_cases_are_looked_through_for_what_is_quoted(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await hospital(node)
    mine, bens = await deposited(node, token, "p1", ANA), await deposited(node, token, "p2", BEN)
    among: list[str] = []
    monkeypatch.setattr(at_desk, "known_among", lambda ids, _names, _quoted: among.extend(ids))
    assert await desk(node).find("f" * 32) is None
    assert among == [mine.public_id]
    among.clear()
    assert await desk(node, CURATOR).find("f" * 32) is None
    assert sorted(among) == sorted([mine.public_id, bens.public_id])


# Lists


async def test_lists_are_merged_over_owners_with_no_case_twice_and_none_missing(
    start_node: StartNode, tmp_path: Path
) -> None:
    """Property: whatever the times, equal ones too, pages of any size hold each case once, latest change first."""
    clock = Clock()
    async with start_node(world=clock.world, **CHEAP) as node:
        for email, role in ((ANA, PersonRole.CLINICIAN), (BEN, PersonRole.CLINICIAN), (CURATOR, PersonRole.CURATOR)):
            await add(node, email, role)
        tokens = [await hospital(node, name) for name in ("dublin", "dublin2")]
        for number in range(24):
            clock.now += (number % 3) / 7  # some at one time
            who = (ANA, BEN)[number % 2]
            if number % 4 < 2:
                await keep(node, f"c{number}", who)
            else:
                await put(node, tokens[number % 2], f"c{number}", owner=who)
        for limit in (1, 2, 3, 5, 7, 24, 50):
            for email, count in ((ANA, 12), (BEN, 12), (CURATOR, 24)):
                mine, before, found = desk(node, email), None, list[Case]()
                while rows := await mine.cases(before, limit):
                    assert len(rows) <= limit
                    found += [row.case for row in rows]
                    before = (found[-1].updated_at, found[-1].public_id)
                assert len({one.public_id for one in found}) == len(found) == count == await mine.count()
                assert found == sorted(found, key=lambda one: (one.updated_at, one.public_id), reverse=True)


# Matches


async def inbox(node: RunningNode, email: str, **wanted: Any) -> list[str]:
    listed, _ = await desk(node, email).matches(Filter(**wanted))
    return [one.view.id for one in listed]


async def test_matches_are_seen_through_ones_own_cases(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    token = await hospital(node)
    mine, bens = await keep(node), await deposited(node, token, "p2", BEN)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    assert {one: len(await inbox(node, one)) for one in EVERYBODY} == {
        ANA: 1, BEN: 1, CURATOR: 2, CIARA: 0, ELSEWHERE: 0, OPERATOR: 0,
    }  # fmt: skip
    (match,) = await inbox(node, ANA)
    assert (await desk(node).match(match))[1].public_id == mine.public_id
    assert match != (await inbox(node, BEN))[0]
    for email in (BEN, CIARA, ELSEWHERE, OPERATOR):
        for asked in (match, "0" * 32, "x"):
            with pytest.raises(NotFound, match="no such match of yours"):
                await desk(node, email).match(asked)
            with pytest.raises(NotFound, match="no such match of yours"):
                await desk(node, email).change_match(asked, validate(MatchChange, {"note": "mine"}))
    rows = await desk(node, CURATOR).cases(None, 10)
    assert {row.case.public_id: row.new for row in rows} == {mine.public_id: 1, bens.public_id: 1}


async def test_of_two_cases_of_one_system_each_person_sees_the_own_side(node: RunningNode) -> None:
    token = await hospital(node)
    first, second = await deposited(node, token, "p1", ANA), await deposited(node, token, "p2", BEN)
    await call(node, "POST", "/api/cases/p1/search", token)
    ids = {email: await inbox(node, email) for email in EVERYBODY}
    (match,) = ids[ANA]
    assert ids == {ANA: [match], BEN: [match], CURATOR: [match], CIARA: [], ELSEWHERE: [], OPERATOR: []}
    changed = await desk(node, BEN).change_match(match, validate(MatchChange, {"status": "contacted", "note": "wrote"}))
    assert (changed.case, changed.status, changed.history[-1].who) == ("p2", "contacted", f"dublin, {BEN}")
    seen, case = await desk(node).match(match)
    assert (seen.case, case.public_id, seen.status, seen.history) == ("p1", first.public_id, "new", ())
    assert seen.other.status == "contacted"
    assert await inbox(node, ANA, status=Status.NEW) == [match]
    assert await inbox(node, BEN, status=Status.NEW) == []
    assert await inbox(node, BEN, case=second.public_id) == [match]
    with pytest.raises(NotFound):
        await inbox(node, BEN, case=first.public_id)


async def test_a_change_is_in_the_persons_own_name_whoever_it_says_it_is_by(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    await keep(node)
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (match,) = await inbox(node, ANA)
    change = validate(MatchChange, {"status": "contacted", "by": BEN})
    assert (await desk(node).change_match(match, change)).history[-1].who == ANA
    noted = await desk(node, CURATOR).change_match(match, validate(MatchChange, {"note": "well done"}))
    assert noted.history[-1].who == f"{ANA}, {CURATOR}"
    with pytest.raises(InvalidRequest):
        await desk(node).change_match(match, validate(MatchChange, {"status": "solved"}))


async def test_a_match_with_a_case_that_is_not_shared_any_more_is_gone_and_with_a_withdrawn_one_too(
    node: RunningNode,
) -> None:
    mine, theirs = await keep(node), await keep(node, "niamh", CIARA)
    await node.exchange.search(desk(node).own, "martin", None)
    (match,) = await inbox(node, ANA)
    assert await inbox(node, CIARA) == [match]
    await desk(node, CIARA).change(theirs.public_id, patient("niamh"), Sharing(Circle.NONE), None)
    assert await inbox(node, ANA) == []
    with pytest.raises(NotFound):
        await desk(node).match(match)
    await desk(node).withdraw(mine.public_id)
    assert await inbox(node, CIARA) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 9))
async def test_the_inbox_holds_each_match_once_whatever_the_size_of_its_pages(node: RunningNode, limit: int) -> None:
    if not await inbox(node, CURATOR):
        spain = await node.add_client("spain")
        token = await hospital(node)
        for number in range(3):
            await keep(node, f"a{number}")
            await deposited(node, token, f"d{number}", BEN)
        for other in ("x1", "x2"):
            await ask(node, spain, patient_json(other, features=FEATURES))
        await node.exchange.search(desk(node).own, "a0", None)
    whole = Counter(await inbox(node, CURATOR))
    assert set(whole.values()) == {1}
    for email in (ANA, BEN, CURATOR):
        found, after = list[str](), None
        while True:
            page, after = await desk(node, email).matches(Filter(after=after, limit=limit))
            found += [one.view.id for one in page]
            if after is None:
                break
        assert sorted(found) == sorted(await inbox(node, email))
