"""Who is let in, for how long, and by what: the rules of signing in, by a clock that a test moves."""

import asyncio
from typing import Any

import pyotp
import pytest

from matchmaker.accounts.oidc import Identity, SignInFailed
from matchmaker.accounts.sessions import digest
from matchmaker.exchange.signing_in import SigningIn, Visitor
from matchmaker.mme.errors import InvalidRequest, NotFound, OverBudget
from matchmaker.records.account import Credentials
from matchmaker.records.ledger import Happened
from matchmaker.records.person import Person, PersonRole
from tests.clock import DAY, HOUR, Clock
from tests.conftest import RunningNode, StartNode
from tests.web.people import ANA, BEN, CHEAP, DUBLIN, OPERATOR, PASSWORD, add, everything, with_password

WRONG = "not that one, I am afraid"
BY = Person(email=OPERATOR, institution="IT", role=PersonRole.OPERATOR)
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
NEW = "nine loud horses graze"


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


async def entered(signing: SigningIn, email: str = ANA, password: str = PASSWORD, where: str = HERE) -> str:
    made = await signing.enter(email, password, where)
    assert made.done
    return made.token


async def visitor(signing: SigningIn, token: str) -> Visitor:
    found = await signing.visitor(token)
    assert found
    return found


def newcomer(email: str = BEN, institution: str = "Whatever", **told: Any) -> Person:
    """Somebody who asks to be let in, as they say."""
    return Person(**{"email": email, "institution": institution, "role": PersonRole.CLINICIAN, **told})


async def let_in(signing: SigningIn, email: str, role: PersonRole = PersonRole.CLINICIAN, password: str = NEW) -> None:
    """Approve somebody, and have them set a password by the link."""
    await signing.approve(email, role, DUBLIN, BY)
    assert (await signing.accept_invitation(await signing.invite(email, OPERATOR), password)).done


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
    await signing.register(newcomer("new@x.example"), HERE)
    heard = {}
    for place, email in enumerate((ANA, BEN, "closed@x.example", "new@x.example", "nobody@x.example")):
        heard[email] = [await refused(signing, email, where=f"192.0.2.{place}") for _ in range(8)]
    assert len({tuple(one) for one in heard.values()}) == 1
    assert await refused(signing, "new@x.example", PASSWORD, "192.0.2.3") == heard[ANA][5], "who waits hears no more"
    for place, email in enumerate(heard):  # and by the wait that comes of tries from everywhere
        heard[email] = [await refused(signing, email, where=f"203.0.113.{place}-{number}") for number in range(27)]
    assert len({tuple(one) for one in heard.values()}) == 1
    assert "ask again" in heard[ANA][-1]


async def test_capital_letters_of_an_address_make_no_second_account_to_guess_at(signing: SigningIn) -> None:
    for email in (ANA, ANA.upper(), f" {ANA} ", ANA.title(), ANA):
        await refused(signing, email)
    assert "ask again" in await refused(signing)


async def test_many_guesses_at_once_are_no_way_around_the_wait(signing: SigningIn) -> None:
    guesses = [refused(signing) for _ in range(40)]
    said = await asyncio.gather(*guesses)
    assert sum("not known" in one for one in said) <= 15, "five, and those that were being checked just then"
    assert "ask again" in await refused(signing, password=PASSWORD)


async def test_who_guesses_at_an_account_from_one_place_keeps_nobody_out_of_it_at_another(signing: SigningIn) -> None:
    for _ in range(8):
        await refused(signing)
    assert "ask again in 61 s" in await refused(signing, password=PASSWORD)
    await entered(signing, where=ELSEWHERE)


async def test_after_thirty_guesses_from_everywhere_an_account_waits_everywhere(
    signing: SigningIn, clock: Clock
) -> None:
    for number in range(30):
        assert "not known" in await refused(signing, where=f"192.0.2.{number // 4}"), number
    for where in ("192.0.2.0", ELSEWHERE, ""):
        assert "ask again in 61 s" in await refused(signing, password=PASSWORD, where=where), where
    clock.now += 61
    await entered(signing, where=ELSEWHERE)


async def test_where_a_proxy_hides_who_comes_the_account_alone_is_counted(signing: SigningIn) -> None:
    """Else five wrong ones of anybody would keep everybody out."""
    for number in range(60):
        assert "not known" in await refused(signing, f"p{number}@x.example", where=""), number
    for number in range(30):
        assert "not known" in await refused(signing, where=""), number
    assert "ask again" in await refused(signing, password=PASSWORD, where="")


async def test_an_address_that_guesses_at_everybody_waits_and_others_do_not(
    node: RunningNode, signing: SigningIn
) -> None:
    for number in range(50):
        await refused(signing, f"p{number}@x.example")
    assert "ask again" in await refused(signing, "p99@x.example")
    assert "ask again" in await refused(signing, password=PASSWORD)
    assert (await signing.enter(ANA, PASSWORD, ELSEWHERE)).done


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


async def test_a_session_that_ends_while_a_page_is_asked_for_is_not_kept_again(
    node: RunningNode, signing: SigningIn, clock: Clock
) -> None:
    token = await entered(signing)
    (session, _) = await node.exchange.store.signed_in(digest(token)) or (None, None)
    assert session
    await signing.leave(token)
    await node.exchange.store.touch_session(session.model_copy(update={"seen_at": clock.now + 61}))
    assert await signing.visitor(token) is None
    token = await entered(signing)
    clock.now += 61
    _, found = await asyncio.gather(signing.leave(token), signing.visitor(token))
    assert found is None or found.session.seen_at == clock.now, "whichever came first"
    assert await signing.visitor(token) is None


async def test_signing_out_ends_this_session_and_a_new_password_all_others(signing: SigningIn) -> None:
    first, second, third = [await entered(signing) for _ in range(3)]
    await signing.leave(first)
    assert await signing.visitor(first) is None
    with pytest.raises(InvalidRequest, match="not your password"):
        await signing.change_password(await visitor(signing, second), WRONG, NEW)
    with pytest.raises(InvalidRequest, match="at least 15"):
        await signing.change_password(await visitor(signing, second), PASSWORD, "short")
    assert await signing.visitor(third)
    await signing.change_password(await visitor(signing, second), PASSWORD, NEW)
    assert await signing.visitor(second)
    assert await signing.visitor(third) is None
    await refused(signing, password=PASSWORD)
    await entered(signing, password=NEW)


async def test_guesses_at_the_old_password_within_a_session_wait_too(signing: SigningIn) -> None:
    someone = await visitor(signing, await entered(signing))
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            await signing.change_password(someone, WRONG, NEW)
    with pytest.raises(OverBudget):
        await signing.change_password(someone, PASSWORD, NEW)
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
    someone = await visitor(signing, await entered(signing))
    secret, _ = await signing.offer_second_factor(someone.person, "ireland")
    codes = await signing.confirm_second_factor(someone, pyotp.TOTP(secret).at(int(clock.now)), PASSWORD)
    return pyotp.TOTP(secret), codes


async def half(signing: SigningIn) -> str:
    made = await signing.enter(ANA, PASSWORD, HERE)
    assert not made.done
    return made.token


async def test_an_offered_second_factor_is_the_same_until_a_code_of_it_puts_it_in_force(
    signing: SigningIn, clock: Clock
) -> None:
    someone = await visitor(signing, await entered(signing))
    person = someone.person
    secret, uri = await signing.offer_second_factor(person, "ireland")
    assert (await signing.offer_second_factor(person, "ireland"))[0] == secret, "a page loaded twice"
    assert "issuer=ireland" in uri
    await entered(signing)
    with pytest.raises(InvalidRequest, match="not right"):
        await signing.confirm_second_factor(someone, "000000", PASSWORD)
    codes = await signing.confirm_second_factor(someone, pyotp.TOTP(secret).at(int(clock.now)), PASSWORD)
    assert len(set(codes)) == 10
    assert await signing.has_second_factor(person) == (True, 10)
    with pytest.raises(InvalidRequest, match="in force already"):
        await signing.offer_second_factor(person, "ireland")
    with pytest.raises(InvalidRequest):
        await signing.confirm_second_factor(someone, pyotp.TOTP(secret).at(int(clock.now + 30)), PASSWORD)


async def test_a_second_factor_is_put_in_force_by_the_password_and_ends_all_other_sessions(
    signing: SigningIn, clock: Clock
) -> None:
    """Else a browser left open for a minute would lock its owner out, or a stolen session would outlast it."""
    token, stolen = await entered(signing), await entered(signing)
    mine = await visitor(signing, token)
    secret, _ = await signing.offer_second_factor(mine.person, "ireland")
    code = pyotp.TOTP(secret).at(int(clock.now))
    for password in (WRONG, ""):
        with pytest.raises(InvalidRequest, match="not your password"):
            await signing.confirm_second_factor(mine, code, password)
    assert await signing.has_second_factor(mine.person) == (False, 0)
    assert await signing.visitor(stolen)
    await signing.confirm_second_factor(mine, code, PASSWORD)
    assert await signing.visitor(stolen) is None
    assert await signing.visitor(token)
    assert await signing.has_second_factor(mine.person) == (True, 10)


async def test_guesses_at_the_password_beside_a_code_wait_too(signing: SigningIn, clock: Clock) -> None:
    someone = await visitor(signing, await entered(signing))
    secret, _ = await signing.offer_second_factor(someone.person, "ireland")
    for _ in range(5):
        with pytest.raises(InvalidRequest):
            await signing.confirm_second_factor(someone, pyotp.TOTP(secret).at(int(clock.now)), WRONG)
    with pytest.raises(OverBudget):
        await signing.confirm_second_factor(someone, pyotp.TOTP(secret).at(int(clock.now)), PASSWORD)


@pytest.mark.parametrize("by", ["a new password", "an invitation"])
async def test_a_second_factor_that_was_only_offered_is_forgotten_with_the_former_password(
    signing: SigningIn, clock: Clock, by: str
) -> None:
    """Whoever sat at the browser before may have copied it."""
    someone = await visitor(signing, await entered(signing))
    copied, _ = await signing.offer_second_factor(someone.person, "ireland")
    if by == "an invitation":
        made = await signing.accept_invitation(await signing.invite(ANA), NEW)
        someone = await visitor(signing, made.token)
    else:
        await signing.change_password(someone, PASSWORD, NEW)
    with pytest.raises(InvalidRequest, match="not right"):
        await signing.confirm_second_factor(someone, pyotp.TOTP(copied).at(int(clock.now)), NEW)
    fresh, _ = await signing.offer_second_factor(someone.person, "ireland")
    assert fresh != copied


async def test_a_second_factor_in_force_outlasts_a_new_password(signing: SigningIn, clock: Clock) -> None:
    totp, _ = await in_force(signing, clock)
    clock.now += 30
    made = await signing.confirm_entry(await half(signing), totp.at(int(clock.now)), HERE)
    someone = await visitor(signing, made.token)
    await signing.change_password(someone, PASSWORD, NEW)
    clock.now += 30
    halfway = await signing.enter(ANA, NEW, HERE)
    assert not halfway.done
    assert (await signing.confirm_entry(halfway.token, totp.at(int(clock.now)), HERE)).done


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
            await signing.confirm_entry(token, code, HERE)
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
    results = await asyncio.gather(*(signing.accept_invitation(second, NEW) for _ in range(3)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["Entered", "NotFound", "NotFound"]
    assert await signing.visitor(session) is None
    await entered(signing, password=NEW)
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
    made = await signing.accept_invitation(await signing.invite(ANA), NEW)
    assert not made.done
    assert await signing.visitor(made.token) is None


async def test_who_registers_waits_until_let_in_as_the_operator_says_and_has_no_password_before(
    node: RunningNode, signing: SigningIn
) -> None:
    """Only who reads the mails of an address sets its password: registering shows nothing of that."""
    await signing.register(newcomer(role=PersonRole.OPERATOR, name="Ben"), HERE)
    assert await node.exchange.store.credentials(BEN) is None
    for password in (PASSWORD, ""):
        await refused(signing, BEN, password)
    with pytest.raises(NotFound):
        await signing.invite(BEN, OPERATOR)
    approved = await signing.approve(BEN, PersonRole.CURATOR, DUBLIN, BY)
    assert (approved.role, approved.institution, approved.waiting) == (PersonRole.CURATOR, DUBLIN, False)
    assert not await signing.has_password(approved)
    await refused(signing, BEN, PASSWORD)
    made = await signing.accept_invitation(await signing.invite(BEN, OPERATOR), NEW)
    assert (await visitor(signing, made.token)).person == approved
    await entered(signing, BEN, NEW)
    with pytest.raises(NotFound):
        await signing.approve(BEN, PersonRole.OPERATOR, "IT", BY)


async def test_ten_people_may_ask_from_one_address_and_more_wait(signing: SigningIn, clock: Clock) -> None:
    for number in range(10):
        await signing.register(newcomer(f"p{number}@x.example"), HERE)
    for email in ("p11@x.example", "p1@x.example", ANA):
        with pytest.raises(OverBudget, match="from here") as error:
            await signing.register(newcomer(email), HERE)
        assert error.value.retry_after_seconds == 61
    await signing.register(newcomer("p11@x.example"), ELSEWHERE)
    await entered(signing)
    clock.now += 61
    await signing.register(newcomer("p12@x.example"), HERE)
    with pytest.raises(OverBudget):
        await signing.register(newcomer("p13@x.example"), HERE)


async def test_two_hundred_wait_at_most_and_who_is_answered_makes_room(node: RunningNode, signing: SigningIn) -> None:
    for number in range(200):
        await signing.register(newcomer(f"p{number}@x.example"), f"192.0.2.{number}")
    for email in ("one@x.example", "p1@x.example", ANA):
        with pytest.raises(OverBudget, match="too many people wait"):
            await signing.register(newcomer(email), ELSEWHERE)
    assert len(await node.exchange.store.people()) == 201, "Ana, and those who wait"
    await signing.refuse("p7@x.example", BY)
    await signing.register(newcomer("one@x.example"), ELSEWHERE)


async def test_who_is_refused_stays_out_keeps_nothing_and_cannot_ask_again(
    node: RunningNode, signing: SigningIn
) -> None:
    await signing.register(newcomer(), HERE)
    left = {"password": "of former days", "subject": "https://issuer.example s-1", "invitation": "0", "secret": "A"}
    await node.exchange.store.change_credentials(BEN, lambda kept: kept.model_copy(update=left))
    await signing.refuse(BEN, BY)
    assert await node.exchange.store.credentials(BEN) == Credentials(email=BEN)
    assert await node.exchange.store.credentials_of_subject(left["subject"]) is None
    for action in (
        signing.approve(BEN, PersonRole.CLINICIAN, DUBLIN, BY), signing.invite(BEN, OPERATOR), signing.refuse(BEN, BY),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await action
    await signing.register(newcomer(), HERE)
    await refused(signing, BEN, PASSWORD)
    (ben,) = [one for one in await node.exchange.store.people() if one.email == BEN]
    assert (ben.waiting, ben.disabled_at is not None) == (False, True)


async def test_registering_under_a_known_address_changes_nothing_of_it(node: RunningNode, signing: SigningIn) -> None:
    before = await node.exchange.store.credentials(ANA), await node.exchange.store.people()
    await signing.register(newcomer(ANA, "Evil", role=PersonRole.OPERATOR), HERE)
    assert (await node.exchange.store.credentials(ANA), await node.exchange.store.people()) == before
    await entered(signing)


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


async def test_who_was_let_in_or_out_and_each_link_and_its_use_stand_in_the_ledger(
    node: RunningNode, signing: SigningIn
) -> None:
    """Whoever makes a link could use it: so both are written down, with the name."""
    await signing.register(newcomer(), HERE)
    await let_in(signing, BEN)
    await signing.invite(BEN)
    await signing.disable(BEN, BY)
    await signing.register(newcomer("no@x.example"), HERE)
    await signing.refuse("no@x.example", BY)
    latest = await node.exchange.store.recent_lines([Happened.GRANTED, Happened.REVOKED], 100)
    lines = [one for one in reversed(latest) if one.who in {BEN, "no@x.example"}]
    assert [(one.kind, one.who, one.detail) for one in lines] == [
        (Happened.GRANTED, BEN, f"user, clinician, approved by {OPERATOR}"),
        (Happened.GRANTED, BEN, f"a link to set a password, by {OPERATOR}"),
        (Happened.GRANTED, BEN, "a password was set by a link"),
        (Happened.GRANTED, BEN, "a link to set a password, by a command"),
        (Happened.REVOKED, BEN, f"user, closed by {OPERATOR}"),
        (Happened.REVOKED, "no@x.example", f"user, not let in by {OPERATOR}"),
    ]


async def test_a_link_that_was_not_used_is_not_written_down_as_used(node: RunningNode, signing: SigningIn) -> None:
    token = await signing.invite(ANA)
    before = await everything(node)
    with pytest.raises(InvalidRequest):
        await signing.accept_invitation(token, "short")
    with pytest.raises(NotFound):
        await signing.accept_invitation(token + "x", NEW)
    assert await everything(node) == before


# A provider


def identity(email: str, subject: str = "s-1", name: str = "") -> Identity:
    return Identity("https://issuer.example", subject, email, True, name)


async def person_of(signing: SigningIn, said: Identity) -> Person:
    """Who comes in by what a provider says; the whole way is in tests/web/test_sign_in.py."""
    return await signing._person_of(said)  # noqa: SLF001


async def test_a_verified_address_links_who_is_known_by_nothing_else_and_by_the_subject_from_then_on(
    node: RunningNode, signing: SigningIn
) -> None:
    await add(node, BEN)
    known = await person_of(signing, identity(BEN.upper()))
    assert (known.email, known.waiting, known.institution) == (BEN, False, DUBLIN)
    assert (await person_of(signing, identity("another@dublin.example"))).email == BEN
    with pytest.raises(SignInFailed, match="another account"):
        await person_of(signing, identity(BEN, "s-2"))


@pytest.mark.parametrize("way", ["password", "second factor", "operator"])
async def test_an_address_that_has_another_way_in_is_not_linked(
    node: RunningNode, signing: SigningIn, clock: Clock, way: str
) -> None:
    """Else whoever rules at the provider, or over its mails, walks past the password, the code and the ledger."""
    email = {"operator": OPERATOR}.get(way, ANA)
    if way == "second factor":
        await in_force(signing, clock)
        await node.exchange.store.change_credentials(ANA, lambda kept: kept.model_copy(update={"password": None}))
    if way == "operator":
        await add(node, OPERATOR, PersonRole.OPERATOR, "IT")
    before = await node.exchange.store.credentials(email)
    for _ in range(2):
        with pytest.raises(SignInFailed, match="please sign in by that"):
            await person_of(signing, identity(email))
    assert await node.exchange.store.credentials(email) == before


async def test_of_who_waits_nothing_is_kept_that_was_typed_before_the_provider_named_them(
    node: RunningNode, signing: SigningIn
) -> None:
    """Else somebody registers another's address with an own institution, and its true owner is let in there."""
    await signing.register(newcomer(BEN, "Evil", name="Mallory"), HERE)
    for _ in range(2):
        person = await person_of(signing, identity(BEN, name="Ben"))
        assert (person.waiting, person.institution, person.name) == (True, "", "Ben")
    await signing.register(newcomer(BEN, "Evil", name="Mallory"), HERE)
    (kept,) = [one for one in await node.exchange.store.people() if one.email == BEN]
    assert (kept.institution, kept.name) == ("", "Ben"), "nor is it typed once more"
    await signing.approve(BEN, PersonRole.CLINICIAN, DUBLIN, BY)
    person = await person_of(signing, identity(BEN, name="Ben"))
    assert (person.waiting, person.institution, person.disabled_at) == (False, DUBLIN, None)
    await refused(signing, BEN, PASSWORD)


async def test_who_has_no_password_cannot_set_one_from_an_open_browser(node: RunningNode, signing: SigningIn) -> None:
    ben = await add(node, BEN)
    assert not await signing.has_password(ben)
    someone = await visitor(signing, await entered(signing))
    await node.exchange.store.change_credentials(ANA, lambda kept: kept.model_copy(update={"password": None}))
    with pytest.raises(InvalidRequest, match="no password here"):
        await signing.change_password(someone, "", NEW)
