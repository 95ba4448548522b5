"""Who is let in, for how long, and by what: the rules of signing in, by a clock that a test moves."""

import asyncio
from typing import Any

import pyotp
import pytest

from matchmaker.accounts.oidc import Identity
from matchmaker.accounts.sessions import digest
from matchmaker.exchange.signing_in import SigningIn, Visitor
from matchmaker.mme.errors import InvalidRequest, NotFound, OverBudget
from matchmaker.records.person import Person, PersonRole
from tests.clock import DAY, HOUR, Clock
from tests.conftest import RunningNode, StartNode
from tests.web.people import ANA, BEN, CHEAP, DUBLIN, OPERATOR, PASSWORD, add, everything, with_password

WRONG = "not that one, I am afraid"
BY = Person(email=OPERATOR, institution="IT", role=PersonRole.OPERATOR)
HERE = "192.0.2.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def node(start_node: StartNode, clock: Clock) -> Any:
    async with start_node(world=clock.world, **CHEAP) as running:
        yield running


@pytest.fixture
async def signing(node: RunningNode) -> SigningIn:
    """A node where Ana has a password."""
    await add(node)
    await with_password(node)
    return node.exchange.signing_in


async def refused(signing: SigningIn, email: str = ANA, password: str = WRONG, where: str = HERE) -> str:
    """What somebody hears who does not come in."""
    with pytest.raises((InvalidRequest, OverBudget)) as error:
        await signing.enter(email, password, where)
    return str(error.value)


async def entered(signing: SigningIn, email: str = ANA, password: str = PASSWORD) -> str:
    made = await signing.enter(email, password, HERE)
    assert made.done
    return made.token


async def visitor(signing: SigningIn, token: str) -> Visitor:
    found = await signing.visitor(token)
    assert found
    return found


# Passwords


async def test_wrong_passwords_make_wait_longer_and_longer_and_a_day_forgets_them(
    signing: SigningIn, clock: Clock
) -> None:
    for _ in range(5):
        assert "not known" in await refused(signing)
    assert "ask again in 61 s" in await refused(signing)
    assert "ask again" in await refused(signing, password=PASSWORD), "the right one is not even looked at"
    clock.now += 61
    await refused(signing)
    assert "ask again in 121 s" in await refused(signing)
    clock.now += 121
    await entered(signing)
    for _ in range(4):
        assert "not known" in await refused(signing), "a right one ends the row"
    clock.now += DAY
    for _ in range(5):
        assert "not known" in await refused(signing)


async def test_whoever_guesses_learns_nothing_of_which_accounts_exist(node: RunningNode, signing: SigningIn) -> None:
    """By no answer, and by no wait: of one with a password, with none, who waits, is closed, or is nobody."""
    await add(node, BEN)
    await add(node, "closed@x.example", disabled_at=2.0)
    await signing.register(Person(email="new@x.example", institution="X", role=PersonRole.CLINICIAN), PASSWORD)
    heard = {}
    for place, email in enumerate((ANA, BEN, "closed@x.example", "new@x.example", "nobody@x.example")):
        heard[email] = [await refused(signing, email, where=f"192.0.2.{place}") for _ in range(8)]
    assert len({tuple(one) for one in heard.values()}) == 1
    assert await refused(signing, "new@x.example", PASSWORD) == heard[ANA][5], "who waits hears no more"


async def test_capital_letters_of_an_address_make_no_second_account_to_guess_at(signing: SigningIn) -> None:
    for email in (ANA, ANA.upper(), f" {ANA} ", ANA.title(), ANA):
        await refused(signing, email)
    assert "ask again" in await refused(signing)


async def test_many_guesses_at_once_are_no_way_around_the_wait(signing: SigningIn) -> None:
    guesses = [refused(signing) for _ in range(40)]
    said = await asyncio.gather(*guesses)
    assert sum("not known" in one for one in said) <= 15, "five, and those that were being checked just then"
    assert "ask again" in await refused(signing, password=PASSWORD)


async def test_an_address_that_guesses_at_everybody_waits_and_others_do_not(
    node: RunningNode, signing: SigningIn
) -> None:
    for number in range(50):
        await refused(signing, f"p{number}@x.example")
    assert "ask again" in await refused(signing, "p99@x.example")
    assert "ask again" in await refused(signing, password=PASSWORD)
    assert (await signing.enter(ANA, PASSWORD, "198.51.100.7")).done


# Sessions


async def test_a_session_is_over_after_an_hour_idle_and_after_a_day_however_busy(
    signing: SigningIn, clock: Clock
) -> None:
    token = await entered(signing)
    for _ in range(25):
        clock.now += HOUR - 60
        if clock.now - Clock().now >= DAY:
            break
        assert await signing.visitor(token)
    assert await signing.visitor(token) is None, "24 h, though it was never idle"
    token = await entered(signing)
    clock.now += HOUR - 1
    assert await signing.visitor(token)
    clock.now += HOUR - 1
    assert await signing.visitor(token)
    clock.now += HOUR
    assert await signing.visitor(token) is None
    clock.now -= HOUR
    assert await signing.visitor(token) is None, "over is over, should the clock go back"


async def test_what_is_kept_of_a_session_is_no_key_to_it(node: RunningNode, signing: SigningIn) -> None:
    token = await entered(signing)
    assert await signing.visitor(digest(token)) is None
    for nothing in (None, "", "x", token[:-1], token + "x", "é"):
        assert await signing.visitor(nothing) is None
    assert (await visitor(signing, token)).csrf not in token
    assert (await visitor(signing, token)).csrf != (await visitor(signing, await entered(signing))).csrf


@pytest.mark.parametrize(
    "change", [{"role": PersonRole.CURATOR}, {"institution": "Cork"}, {"disabled_at": 9.0}, {"waiting": True}]
)
async def test_a_session_ends_at_once_when_a_person_may_do_something_else(
    node: RunningNode, signing: SigningIn, change: dict[str, Any]
) -> None:
    token = await entered(signing)
    person = (await visitor(signing, token)).person
    await node.exchange.store.put_person(person.model_copy(update=change))
    assert await signing.visitor(token) is None
    await node.exchange.store.put_person(person)
    assert await signing.visitor(token) is None, "and does not come back"


async def test_signing_out_ends_this_session_and_a_new_password_all_others(signing: SigningIn) -> None:
    first, second, third = [await entered(signing) for _ in range(3)]
    await signing.leave(first)
    assert await signing.visitor(first) is None
    with pytest.raises(InvalidRequest, match="not your password"):
        await signing.change_password(await visitor(signing, second), WRONG, "nine loud horses graze")
    with pytest.raises(InvalidRequest, match="at least 15"):
        await signing.change_password(await visitor(signing, second), PASSWORD, "short")
    assert await signing.visitor(third)
    await signing.change_password(await visitor(signing, second), PASSWORD, "nine loud horses graze")
    assert await signing.visitor(second)
    assert await signing.visitor(third) is None
    await refused(signing, password=PASSWORD)
    await entered(signing, password="nine loud horses graze")


async def test_guesses_at_the_old_password_within_a_session_wait_too(signing: SigningIn) -> None:
    someone = await visitor(signing, await entered(signing))
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            await signing.change_password(someone, WRONG, "nine loud horses graze")
    with pytest.raises(OverBudget):
        await signing.change_password(someone, PASSWORD, "nine loud horses graze")
    with pytest.raises(OverBudget):
        await signing.remove_second_factor(someone, PASSWORD)


async def test_sessions_that_are_over_are_forgotten(node: RunningNode, signing: SigningIn, clock: Clock) -> None:
    old = await entered(signing)
    clock.now += HOUR / 2
    young = await entered(signing)
    clock.now += HOUR / 2 + 1
    await signing.forget()
    assert await node.exchange.store.signed_in(digest(old)) is None
    assert await node.exchange.store.signed_in(digest(young))


# The second factor


async def in_force(signing: SigningIn, clock: Clock) -> tuple[pyotp.TOTP, tuple[str, ...]]:
    """Put Ana's second factor in force; the code of that moment is spent."""
    person = (await visitor(signing, await entered(signing))).person
    secret, _ = await signing.offer_second_factor(person, "ireland")
    codes = await signing.confirm_second_factor(person, pyotp.TOTP(secret).at(int(clock.now)))
    return pyotp.TOTP(secret), codes


async def half(signing: SigningIn) -> str:
    made = await signing.enter(ANA, PASSWORD, HERE)
    assert not made.done
    return made.token


async def test_an_offered_second_factor_is_the_same_until_a_code_of_it_puts_it_in_force(
    signing: SigningIn, clock: Clock
) -> None:
    person = (await visitor(signing, await entered(signing))).person
    secret, uri = await signing.offer_second_factor(person, "ireland")
    assert (await signing.offer_second_factor(person, "ireland"))[0] == secret, "a page loaded twice"
    assert "issuer=ireland" in uri
    await entered(signing)
    with pytest.raises(InvalidRequest, match="not right"):
        await signing.confirm_second_factor(person, "000000")
    codes = await signing.confirm_second_factor(person, pyotp.TOTP(secret).at(int(clock.now)))
    assert len(set(codes)) == 10
    assert await signing.has_second_factor(person) == (True, 10)
    with pytest.raises(InvalidRequest, match="in force already"):
        await signing.offer_second_factor(person, "ireland")
    with pytest.raises(InvalidRequest):
        await signing.confirm_second_factor(person, pyotp.TOTP(secret).at(int(clock.now + 30)))


async def test_a_password_alone_opens_nothing_and_each_code_lets_in_once(signing: SigningIn, clock: Clock) -> None:
    totp, _ = await in_force(signing, clock)
    token = await half(signing)
    assert await signing.visitor(token) is None
    with pytest.raises(InvalidRequest):
        await signing.confirm_entry(token, totp.at(int(clock.now)), HERE)  # spent when it was put in force
    clock.now += 30
    made = await signing.confirm_entry(token, totp.at(int(clock.now)), HERE)
    assert await signing.visitor(made.token)
    assert made.token != token
    with pytest.raises(NotFound):
        await signing.confirm_entry(token, totp.at(int(clock.now + 30)), HERE)
    with pytest.raises(InvalidRequest):
        await signing.confirm_entry(await half(signing), totp.at(int(clock.now)), HERE)


async def test_a_recovery_code_is_good_once_however_it_is_typed(signing: SigningIn, clock: Clock) -> None:
    _, codes = await in_force(signing, clock)
    made = await signing.confirm_entry(await half(signing), f" {codes[3].upper().replace('-', ' ')} ", HERE)
    assert await signing.visitor(made.token)
    assert await signing.has_second_factor((await visitor(signing, made.token)).person) == (True, 9)
    with pytest.raises(InvalidRequest):
        await signing.confirm_entry(await half(signing), codes[3], HERE)


async def test_wrong_codes_make_wait_though_the_password_is_entered_again(signing: SigningIn, clock: Clock) -> None:
    totp, codes = await in_force(signing, clock)
    clock.now += 30
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            await signing.confirm_entry(await half(signing), "000000", HERE)
    assert "ask again" in await refused(signing, password=PASSWORD)
    clock.now += 61
    token = await half(signing)
    with pytest.raises(InvalidRequest):
        await signing.confirm_entry(token, "000000", HERE)
    for code in (totp.at(int(clock.now)), codes[0]):
        with pytest.raises(OverBudget):
            await signing.confirm_entry(token, code, "198.51.100.7")
    clock.now += 121
    assert (await signing.confirm_entry(token, totp.at(int(clock.now)), HERE)).done


async def test_many_codes_at_once_are_no_way_around_the_wait(signing: SigningIn, clock: Clock) -> None:
    await in_force(signing, clock)
    token = await half(signing)

    async def guess(number: int) -> type[Exception]:
        with pytest.raises((InvalidRequest, OverBudget)) as error:
            await signing.confirm_entry(token, f"{number:06}", HERE)
        return error.type

    said = await asyncio.gather(*(guess(number) for number in range(60)))
    assert said.count(InvalidRequest) == 5


async def test_a_half_done_sign_in_is_over_after_ten_minutes_and_when_the_account_is_closed(
    node: RunningNode, signing: SigningIn, clock: Clock
) -> None:
    totp, _ = await in_force(signing, clock)
    token = await half(signing)
    clock.now += 601
    with pytest.raises(NotFound):
        await signing.confirm_entry(token, totp.at(int(clock.now)), HERE)
    token = await half(signing)
    await signing.disable(ANA, BY)
    with pytest.raises(NotFound):
        await signing.confirm_entry(token, totp.at(int(clock.now)), HERE)


async def test_the_second_factor_is_taken_away_by_the_password_only(signing: SigningIn, clock: Clock) -> None:
    totp, _ = await in_force(signing, clock)
    clock.now += 30
    made = await signing.confirm_entry(await half(signing), totp.at(int(clock.now)), HERE)
    someone = await visitor(signing, made.token)
    with pytest.raises(InvalidRequest):
        await signing.remove_second_factor(someone, WRONG)
    assert (await signing.has_second_factor(someone.person))[0]
    await signing.remove_second_factor(someone, PASSWORD)
    assert await signing.has_second_factor(someone.person) == (False, 0)
    fresh, _ = await signing.offer_second_factor(someone.person, "ireland")
    assert fresh != totp.secret, "who had seen the old secret cannot use it"


# Who is new


async def test_an_invitation_is_good_once_for_seven_days_and_ends_all_sessions(
    signing: SigningIn, clock: Clock
) -> None:
    session = await entered(signing)
    first = await signing.invite(ANA)
    second = await signing.invite(ANA)
    with pytest.raises(NotFound):
        await signing.invited(first)
    with pytest.raises(InvalidRequest):
        await signing.accept_invitation(second, "short")
    assert (await signing.invited(second)).email == ANA, "a bad password does not spend it"
    results = await asyncio.gather(
        *(signing.accept_invitation(second, "nine loud horses graze") for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results) == ["Entered", "NotFound", "NotFound"]
    assert await signing.visitor(session) is None
    await entered(signing, password="nine loud horses graze")
    late = await signing.invite(ANA)
    clock.now += 7 * DAY + 1
    with pytest.raises(NotFound):
        await signing.accept_invitation(late, PASSWORD)


async def test_an_invitation_of_a_closed_account_is_nobodys(signing: SigningIn) -> None:
    token = await signing.invite(ANA)
    await signing.disable(ANA, BY)
    with pytest.raises(NotFound):
        await signing.accept_invitation(token, PASSWORD)
    for email in (ANA, "nobody@x.example"):
        with pytest.raises(NotFound):
            await signing.invite(email)


async def test_an_invitation_is_no_way_around_the_second_factor(signing: SigningIn, clock: Clock) -> None:
    await in_force(signing, clock)
    made = await signing.accept_invitation(await signing.invite(ANA), "nine loud horses graze")
    assert not made.done
    assert await signing.visitor(made.token) is None


async def test_who_registers_waits_until_let_in_as_the_operator_says(node: RunningNode, signing: SigningIn) -> None:
    wanted = Person(email=BEN, institution="Whatever", role=PersonRole.OPERATOR, name="Ben")
    await signing.register(wanted, PASSWORD)
    await refused(signing, BEN, PASSWORD)
    approved = await signing.approve(BEN, PersonRole.CURATOR, DUBLIN, BY)
    assert (approved.role, approved.institution, approved.waiting) == (PersonRole.CURATOR, DUBLIN, False)
    await entered(signing, BEN)
    with pytest.raises(NotFound):
        await signing.approve(BEN, PersonRole.OPERATOR, "IT", BY)


async def test_who_is_refused_stays_out_and_cannot_ask_again(node: RunningNode, signing: SigningIn) -> None:
    wanted = Person(email=BEN, institution="X", role=PersonRole.CLINICIAN)
    await signing.register(wanted, PASSWORD)
    await signing.refuse(BEN, BY)
    await refused(signing, BEN, PASSWORD)
    await signing.register(wanted, "nine loud horses graze")
    await refused(signing, BEN, "nine loud horses graze")
    (ben,) = [one for one in await node.exchange.store.people() if one.email == BEN]
    assert (ben.waiting, ben.disabled_at is not None) == (False, True)


async def test_registering_under_a_known_address_changes_nothing_of_it(node: RunningNode, signing: SigningIn) -> None:
    before = await node.exchange.store.credentials(ANA), await node.exchange.store.people()
    await signing.register(Person(email=ANA, institution="Evil", role=PersonRole.OPERATOR), "nine loud horses graze")
    assert (await node.exchange.store.credentials(ANA), await node.exchange.store.people()) == before
    await refused(signing, password="nine loud horses graze")


async def test_an_operator_closes_every_account_but_the_own(node: RunningNode, signing: SigningIn) -> None:
    await add(node, OPERATOR, PersonRole.OPERATOR, "IT")
    with pytest.raises(InvalidRequest, match="your own"):
        await signing.disable(OPERATOR, BY)
    token = await entered(signing)
    await signing.disable(ANA, BY)
    assert await signing.visitor(token) is None
    await refused(signing, password=PASSWORD)
    with pytest.raises(NotFound):
        await signing.disable(ANA, BY)


async def test_who_was_let_in_or_out_stands_in_the_ledger(node: RunningNode, signing: SigningIn) -> None:
    await signing.register(Person(email=BEN, institution="X", role=PersonRole.CLINICIAN), PASSWORD)
    await signing.approve(BEN, PersonRole.CLINICIAN, DUBLIN, BY)
    await signing.disable(BEN, BY)
    kept = str(await everything(node))
    assert f"approved by {OPERATOR}" in kept
    assert f"closed by {OPERATOR}" in kept


# A provider


async def test_a_verified_address_links_a_known_person_and_drops_the_password_of_who_waits(
    node: RunningNode, signing: SigningIn
) -> None:
    """Else somebody registers another's address with a password, and is let in once its true owner is."""
    identity = Identity("https://issuer.example", "s-1", BEN, True, "Ben")
    await signing.register(Person(email=BEN, institution="X", role=PersonRole.CLINICIAN), PASSWORD)
    person = await signing._person_of(identity)  # noqa: SLF001 - the whole way is in tests/web/test_sign_in.py
    assert person.waiting
    await signing.approve(BEN, PersonRole.CLINICIAN, DUBLIN, BY)
    await refused(signing, BEN, PASSWORD)
    known = await signing._person_of(Identity("https://issuer.example", "s-2", ANA, True, "Ana"))  # noqa: SLF001
    assert (known.email, known.waiting) == (ANA, False)
    await entered(signing)


async def test_who_has_no_password_cannot_set_one_from_an_open_browser(node: RunningNode, signing: SigningIn) -> None:
    ben = await add(node, BEN)
    assert not await signing.has_password(ben)
    someone = await visitor(signing, await entered(signing))
    await node.exchange.store.change_credentials(ANA, lambda kept: kept.model_copy(update={"password": None}))
    with pytest.raises(InvalidRequest, match="no password here"):
        await signing.change_password(someone, "", "nine loud horses graze")
