"""Signing in: who a browser is, until when, and how somebody new is let in.

An account is a person (who the operator knows) and credentials. Whoever registers, or comes from a provider for the
first time, waits until an operator approves. A session is looked up in the store at each request, with its person: who
is disabled is out at once.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from matchmaker.accounts import second_factor
from matchmaker.accounts.oidc import Attempt, Identity, OidcClient, SignInFailed
from matchmaker.accounts.passwords import Passwords, problem_of
from matchmaker.accounts.sessions import csrf_of, digest, is_over, new_token
from matchmaker.accounts.throttle import Tries, after_wrong, wait_of
from matchmaker.alerts.compose import N_
from matchmaker.exchange.config import SignIn
from matchmaker.exchange.world import World
from matchmaker.mme.errors import InvalidRequest, NotFound, OverBudget, Problem
from matchmaker.records.account import Credentials, Session, SessionKind
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.person import Person, PersonRole, address_of
from matchmaker.store.base import Store

INVITED_SECONDS = 7 * 86_400.0
_HALF_DONE_SECONDS = 600.0  # for a code of the second factor, or at a provider
_SEEN_EVERY_SECONDS = 60.0  # each request would write, else
_FREE_TRIES_OF_AN_ADDRESS = 50  # a whole hospital may share one
_FREE_TRIES_OF_AN_ACCOUNT = 30  # from wherever; of a password of 15 characters nobody guesses one by so many
_FREE_REGISTRATIONS = 10  # from one address
_MOST_WAITING = 200
_DAY_SECONDS = 86_400
_LONGEST_ADDRESS, _LONGEST_TYPED = 254, 1_000
_MOST_ADDRESSES = 10_000
_HASHES_AT_ONCE = 2  # each takes 64 MiB
_WRONG = N_("That address and password are not known here; or the account waits for approval, or is closed.")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, by which session; `csrf` is what its forms must carry."""

    person: Person
    session: Session
    csrf: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A session was begun: its token, for a cookie; `done` unless a second factor is asked for."""

    token: str
    done: bool
    onward: str | None = None


class SigningIn:
    """Lets people in and out."""

    def __init__(self, config: SignIn, store: Store, provider: OidcClient | None, world: World) -> None:
        self.config = config
        self.provider = provider
        self._store = store
        self._world = world
        self._passwords = Passwords(config.password_memory_kib, config.password_passes)
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._tries: OrderedDict[str, Tries] = OrderedDict()  # by network address, by account, and by both

    @property
    def agreement(self) -> tuple[str, str]:
        """The end-user agreement: its text, and the digest by which a version of it is known."""
        text = self.config.agreement_text
        return text, hashlib.sha256(text.encode()).hexdigest()

    def has_agreed(self, person: Person) -> bool:
        """Tell whether a person has accepted the agreement as it stands now."""
        return person.agreed_to == self.agreement[1]

    # Sessions

    async def visitor(self, token: str | None) -> Visitor | None:
        """Return who is signed in by a token; None: nobody, or no more."""
        known = await self._known(token, SessionKind.OPEN)
        if known is None:
            return None
        session, person = known
        now = self._world.now()
        if now - session.seen_at > _SEEN_EVERY_SECONDS:
            session = session.model_copy(update={"seen_at": now})
            await self._store.touch_session(session)
        return Visitor(person, session, csrf_of(token or ""))

    async def _known(self, token: str | None, kind: SessionKind) -> tuple[Session, Person] | None:
        found = await self._store.signed_in(digest(token)) if token else None
        if found is None:
            return None
        session, person = found
        now, limits = self._world.now(), self.config
        idle, most = limits.idle_minutes * 60.0, limits.most_hours * 3_600.0
        if kind is not SessionKind.OPEN:
            idle = most = _HALF_DONE_SECONDS
        if is_over(session.created_at, session.seen_at, now, idle, most):
            await self._store.end_session(session.digest)
            return None
        if session.kind is not kind or person is None or person.disabled_at is not None:
            return None
        return session, person

    async def leave(self, token: str | None) -> None:
        """End a session."""
        if token:
            await self._store.end_session(digest(token))

    async def _begin(
        self, email: str, kind: SessionKind, onward: str | None = None, attempt: Attempt | None = None
    ) -> str:
        token, now = new_token(self._world.chance), self._world.now()
        session = Session(
            digest=digest(token),
            email=email,
            kind=kind,
            created_at=now,
            seen_at=now,
            attempt=asdict(attempt) if attempt else None,
            onward=onward,
        )
        await self._store.put_session(session)
        return token

    async def forget(self) -> None:
        """Forget sessions that are over."""
        now = self._world.now()
        seen_before = now - max(self.config.idle_minutes * 60.0, _HALF_DONE_SECONDS)
        await self._store.forget_sessions(now - self.config.most_hours * 3_600.0, seen_before)

    # Passwords

    async def enter(self, email: str, password: str, where: str) -> Entered:
        """Begin a session by a password; `where` is the network address. Errors: InvalidRequest; OverBudget.

        Nobody learns by the answer, nor by its time, whether there is such an account.
        """
        address, now = address_of(email[:_LONGEST_TYPED]), self._world.now()
        if len(address) > _LONGEST_ADDRESS:
            raise InvalidRequest(Problem("", _WRONG))
        kept = await self._store.credentials(address)
        self._check_tries(kept, where, now, address)
        fits = await self._fits(kept.password if kept else None, password)
        kept = await self._store.credentials(address)
        self._check_tries(kept, where, now, address)  # of many tries at once, those that waited for their turn here
        person = await self._person(address) if fits else None
        if person is None or person.disabled_at is not None:
            await self._note_wrong(kept, where, now, address)
            raise InvalidRequest(Problem("", _WRONG))
        if kept and kept.password and self._passwords.is_outdated(kept.password):
            anew = await self._hash(password)
            await self._store.change_credentials(address, lambda known: known.model_copy(update={"password": anew}))
        if kept and kept.confirmed:  # wrong tries are forgotten once its code was right, too
            return Entered(await self._begin(address, SessionKind.SECOND_FACTOR), done=False)
        await self._store.change_credentials(address, lambda known: known.model_copy(update={"wrong": 0}))
        self._tries.pop(f"{address} from {where}", None)
        return Entered(await self._begin(address, SessionKind.OPEN), done=True)

    def _check_tries(self, kept: Credentials | None, where: str, now: float, address: str = "") -> None:
        """Raise OverBudget after too many wrong tries, of an account or from an address.

        An account that there is not makes wait as one that there is: else the wait would tell which exist.
        """
        name = kept.email if kept else address
        of_account = _tries_of(kept) if kept else self._tries.get(f"account {address}")
        wait = max(
            wait_of(self._tries.get(f"{name} from {where}"), now) if where else 0.0,
            wait_of(of_account, now, _FREE_TRIES_OF_AN_ACCOUNT),  # from everywhere: a stranger keeps nobody out by five
            wait_of(self._tries.get(where), now, _FREE_TRIES_OF_AN_ADDRESS) if where else 0.0,
        )
        if wait:
            raise OverBudget(int(wait) + 1, "too many wrong tries")

    async def _note_wrong(self, kept: Credentials | None, where: str, now: float, address: str = "") -> None:
        self._count_wrong(where, now)
        self._count_wrong(f"{kept.email if kept else address} from {where}", now)
        if kept is None:
            self._count_wrong(f"account {address}", now)
        else:
            await self._store.change_credentials(kept.email, lambda known: _once_more_wrong(known, now))

    def _count_wrong(self, key: str, now: float) -> None:
        self._tries[key] = after_wrong(self._tries.get(key), now)
        self._tries.move_to_end(key)
        if len(self._tries) > _MOST_ADDRESSES:
            self._tries.popitem(last=False)

    async def _fits(self, kept: str | None, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.fits, kept, password)

    async def _hashed(self, password: str, email: str) -> str:
        if problem := problem_of(password, email):
            raise InvalidRequest(Problem("password", problem))
        return await self._hash(password)

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.hashed, password)

    async def change_password(self, visitor: Visitor, old: str, new: str) -> None:
        """Set another password; every other session ends. Errors: InvalidRequest; OverBudget."""
        if not await self.has_password(visitor.person):  # else a browser left open would be a way in for good
            raise InvalidRequest(Problem("old", "you have no password here: ask the operator of this node for a link"))
        await self._check_password(visitor, old)
        hashed = await self._hashed(new, visitor.person.email)
        told = {"password": hashed, "invitation": None, "invited_until": None}
        await self._store.change_credentials(
            visitor.person.email, lambda known: _without_offer(known).model_copy(update=told)
        )
        await self._store.end_sessions(visitor.person.email, but=visitor.session.digest)

    async def _check_password(self, visitor: Visitor, password: str) -> None:
        kept, now = await self._store.credentials(visitor.person.email), self._world.now()
        self._check_tries(kept, visitor.session.digest, now)
        if kept and kept.password and not await self._fits(kept.password, password):
            await self._note_wrong(kept, visitor.session.digest, now)
            raise InvalidRequest(Problem("old", N_("this is not your password")))

    async def has_password(self, person: Person) -> bool:
        """Tell whether a person signs in by a password."""
        kept = await self._store.credentials(person.email)
        return kept is not None and kept.password is not None

    # The second factor

    async def confirm_entry(self, token: str | None, code: str, where: str) -> Entered:
        """Begin work by a code of the second factor, or for recovery. Errors: InvalidRequest; OverBudget; NotFound."""
        known = await self._known(token, SessionKind.SECOND_FACTOR)
        if known is None:
            raise NotFound(N_("the sign-in took too long; please begin again"))
        session, person = known
        now = self._world.now()
        self._check_tries(await self._store.credentials(person.email), where, now)
        used: list[bool] = []

        def use(kept: Credentials) -> Credentials:
            self._check_tries(kept, where, now)  # counted in the same step: many codes at once are no more than one
            after = _with_code_used(kept, code, now)
            used[:] = [after is not None]
            if after is None:
                self._count_wrong(f"{kept.email} from {where}", now)
            return after or _once_more_wrong(kept, now)

        await self._store.change_credentials(person.email, use)
        if not used[0]:
            self._count_wrong(where, now)
            raise InvalidRequest(
                Problem("code", N_("this code is not right, or was used before; wait for the next one"))
            )
        self._tries.pop(f"{person.email} from {where}", None)
        await self._store.end_session(session.digest)
        return Entered(await self._begin(person.email, SessionKind.OPEN), done=True)

    async def offer_second_factor(self, person: Person, node: str) -> tuple[str, str]:
        """Return a new secret and its URI; it is in force once a code of it was given. Errors: InvalidRequest."""
        secret = second_factor.new_secret(self._world.chance)

        def offered(kept: Credentials) -> Credentials:
            if kept.confirmed:
                raise InvalidRequest(Problem("", "a second factor is in force already; take it away first"))
            return kept.model_copy(update={"secret": kept.secret or secret, "last_step": None})

        kept = await self._store.change_credentials(person.email, offered)
        return kept.secret or secret, second_factor.uri(kept.secret or secret, person.email, node)

    async def confirm_second_factor(self, visitor: Visitor, code: str, password: str) -> tuple[str, ...]:
        """Put the offered second factor in force; return the recovery codes, shown once. Every other session ends.

        Errors: InvalidRequest; OverBudget.
        """
        await self._check_password(visitor, password)
        person = visitor.person
        codes, now = second_factor.new_recovery_codes(self._world.chance), self._world.now()

        def confirmed(kept: Credentials) -> Credentials:
            step = second_factor.step_of(kept.secret, code, now, kept.last_step) if kept.secret else None
            if step is None or kept.confirmed:
                raise InvalidRequest(Problem("code", N_("this code is not right; wait for the next one")))
            digests = tuple(second_factor.digest_of(one) for one in codes)
            return kept.model_copy(update={"confirmed": True, "last_step": step, "recovery": digests})

        await self._store.change_credentials(person.email, confirmed)
        await self._store.end_sessions(person.email, but=visitor.session.digest)
        return codes

    async def remove_second_factor(self, visitor: Visitor, password: str) -> None:
        """Take the second factor away. Errors: InvalidRequest; OverBudget."""
        await self._check_password(visitor, password)
        gone = {"secret": None, "confirmed": False, "last_step": None, "recovery": ()}
        await self._store.change_credentials(visitor.person.email, lambda kept: kept.model_copy(update=gone))
        await self._store.end_sessions(visitor.person.email, but=visitor.session.digest)

    async def has_second_factor(self, person: Person) -> tuple[bool, int]:
        """Tell whether a second factor is in force, and how many recovery codes are left."""
        kept = await self._store.credentials(person.email)
        return (kept.confirmed, len(kept.recovery)) if kept else (False, 0)

    # Who is new

    async def register(self, wanted: Person, where: str) -> None:
        """Let somebody ask to be let in; the answer is the same where the address is known. Errors: OverBudget.

        No password is set: who is let in gets a link by mail, and so shows that the address is the own one.
        """
        now = self._world.now()
        if where:
            if wait := wait_of(self._tries.get(f"new {where}"), now, _FREE_REGISTRATIONS):
                raise OverBudget(int(wait) + 1, "too many people asked to be let in from here")
            self._count_wrong(f"new {where}", now)
        people = await self._store.people()
        if sum(one.waiting for one in people) >= _MOST_WAITING:
            raise OverBudget(_DAY_SECONDS, "too many people wait to be let in; write to the operator of this node")
        if wanted.email not in {one.email for one in people}:
            await self._wait(wanted)

    async def _wait(self, wanted: Person) -> None:
        now = self._world.now()
        person = wanted.model_copy(
            update={"role": PersonRole.CLINICIAN, "created_at": now, "disabled_at": now, "waiting": True}
        )
        await self._store.put_person(person)

    async def approve(self, email: str, role: PersonRole, institution: str, by: Person) -> Person:
        """Let somebody in who waits. Errors: NotFound."""
        person = await self._waiting(email)
        let_in = {"waiting": False, "disabled_at": None, "role": role, "institution": institution}
        approved = await self._change_waiting(person.email, let_in)
        await self._store.change_credentials(
            person.email, lambda kept: Credentials(email=kept.email, subject=kept.subject)
        )
        await self._write(Happened.GRANTED, person.email, f"user, {role.value}, approved by {by.email}")
        return approved

    async def refuse(self, email: str, by: Person) -> None:
        """Do not let somebody in who waits: the account stays closed. Errors: NotFound."""
        person = await self._waiting(email)
        await self._change_waiting(person.email, {"waiting": False})
        await self._store.change_credentials(person.email, lambda kept: Credentials(email=kept.email))
        await self._write(Happened.REVOKED, person.email, f"user, not let in by {by.email}")

    async def _change_waiting(self, email: str, update: Mapping[str, object]) -> Person:
        """Change somebody who waits, unless another operator was faster. Errors: NotFound."""
        waited: list[bool] = []

        def changed(one: Person) -> Person:
            waited[:] = [one.waiting]
            return one.model_copy(update=update) if one.waiting else one

        person = await self._change(email, changed)
        if not waited[0]:
            raise NotFound("nobody of that address waits any more")
        return person

    async def disable(self, email: str, by: Person) -> None:
        """Close an account; its sessions end at once. Errors: NotFound; InvalidRequest, for the own one."""
        person = await self._person(address_of(email))
        if person is None or person.disabled_at is not None:
            raise NotFound("there is nobody of that address here")
        if person.email == by.email:
            raise InvalidRequest(Problem("email", "is your own account; another operator may close it"))
        now = self._world.now()
        await self._change(person.email, lambda one: one.model_copy(update={"disabled_at": one.disabled_at or now}))
        no_link = {"invitation": None, "invited_until": None}
        await self._store.change_credentials(person.email, lambda kept: kept.model_copy(update=no_link))
        await self._write(Happened.REVOKED, person.email, f"user, closed by {by.email}")

    async def invite(self, email: str, by: str = "a command") -> str:
        """Return the token of a link by which a person may set a password, within seven days. Errors: NotFound.

        Both that it was made and that it was used stand in the ledger: whoever makes it could use it.
        """
        person = await self._person(address_of(email))
        if person is None or person.disabled_at is not None:
            raise NotFound("there is nobody of that address here, or the account is closed")
        token, until = new_token(self._world.chance), self._world.now() + INVITED_SECONDS
        told = {"invitation": digest(token), "invited_until": until}
        await self._store.change_credentials(person.email, lambda kept: kept.model_copy(update=told))
        await self._write(Happened.GRANTED, person.email, f"a link to set a password, by {by}")
        return token

    async def invited(self, token: str) -> Person:
        """Return who an invitation is for. Errors: NotFound, for every link that is nobody's, used, or over."""
        kept = await self._store.credentials_of_invitation(digest(token))
        person = await self._person(kept.email) if kept else None
        over = kept is None or (kept.invited_until or 0.0) < self._world.now()
        if over or person is None or person.disabled_at is not None:
            raise NotFound(N_("this link was used, or is over; ask the operator of this node for another one"))
        return person

    async def accept_invitation(self, token: str, password: str) -> Entered:
        """Set the password of who was invited, and begin a session. Errors: NotFound; InvalidRequest."""
        person = await self.invited(token)
        hashed, spent = await self._hashed(password, person.email), digest(token)
        done: list[bool] = []

        def accepted(kept: Credentials) -> Credentials:
            done[:] = [kept.invitation == spent]  # else somebody was faster with the same link
            told = {"password": hashed, "invitation": None, "invited_until": None, "wrong": 0}
            return _without_offer(kept).model_copy(update=told) if done[0] else kept

        kept = await self._store.change_credentials(person.email, accepted)
        if not done[0]:
            raise NotFound("this link was used; ask the operator of this node for another one")
        await self._store.end_sessions(person.email)
        await self._write(Happened.GRANTED, person.email, "a password was set by a link")
        if kept.confirmed:
            return Entered(await self._begin(person.email, SessionKind.SECOND_FACTOR), done=False)
        return Entered(await self._begin(person.email, SessionKind.OPEN), done=True)

    async def agree(self, person: Person) -> None:
        """Write down that a person accepts the agreement as it stands."""
        told = {"agreed_at": self._world.now(), "agreed_to": self.agreement[1]}
        await self._change(person.email, lambda one: one.model_copy(update=told))
        await self._write(Happened.GRANTED, person.email, f"agreement {self.agreement[1][:12]} accepted")

    # A provider

    async def begin_at_provider(self, onward: str | None) -> tuple[str, str]:
        """Return where to send the browser, and the token of the attempt. Errors: NotFound; SignInFailed."""
        if self.provider is None:
            raise NotFound("this node knows no other way to sign in")
        url, attempt = await self.provider.begin()
        return url, await self._begin("", SessionKind.PROVIDER, onward, attempt)

    async def finish_at_provider(self, token: str | None, answer: dict[str, str]) -> Entered:
        """Begin a session for whom the provider names. Errors: NotFound; SignInFailed, also for who must wait."""
        found = await self._store.signed_in(digest(token)) if token else None
        if self.provider is None or found is None or found[0].attempt is None:
            raise SignInFailed("The sign-in was not begun in this browser. Please begin again.")
        session = found[0]
        await self._store.end_session(session.digest)  # good for once
        identity = await self.provider.finish(Attempt(**(session.attempt or {})), answer)
        person = await self._person_of(identity)
        if person.waiting:
            raise SignInFailed("The operator of this node was told that you want to be let in; please wait for that.")
        if person.disabled_at is not None:
            raise SignInFailed("This account is closed.")
        return Entered(await self._begin(person.email, SessionKind.OPEN), done=True, onward=session.onward)

    async def _person_of(self, identity: Identity) -> Person:
        """Return the person of an identity: linked before, found by a verified address, or new and waiting."""
        subject = f"{identity.issuer} {identity.subject}"
        linked = await self._store.credentials_of_subject(subject)
        if linked is not None and (person := await self._person(linked.email)):
            return person
        if not identity.email or not identity.email_verified:
            raise SignInFailed("The provider did not tell a confirmed e-mail address, by which people are known here.")
        address = address_of(identity.email)
        person = await self._person(address)
        if person is None:
            wanted = Person(email=address, institution="", role=PersonRole.CLINICIAN, name=identity.name)
            await self._wait(wanted)
            person = await self._person(address) or wanted
        kept = await self._store.credentials(address)
        if kept is not None and kept.subject not in {None, subject}:
            raise SignInFailed("This address belongs to another account at the provider; ask the operator.")
        if person.role is PersonRole.OPERATOR or (kept is not None and (kept.password or kept.confirmed)):
            raise SignInFailed("This address has an account with a password here: please sign in by that.")
        if person.waiting:  # what was typed under this address before was typed by anybody
            told = {"institution": "", "name": identity.name}
            person = await self._change(address, lambda one: one.model_copy(update=told if one.waiting else {}))
        await self._store.change_credentials(address, lambda known: known.model_copy(update={"subject": subject}))
        return person

    # People

    async def _person(self, address: str) -> Person | None:
        return {one.email: one for one in await self._store.people()}.get(address)

    async def _change(self, email: str, change: Callable[[Person], Person]) -> Person:
        """Change a person as it is in that moment: what another one does meanwhile is not undone."""
        changed = await self._store.change_person(email, change)
        if changed is None:
            raise NotFound("there is nobody of that address here")
        return changed

    async def describe(self, person: Person, name: str | None, language: str) -> None:
        """Keep what somebody is called by, and speaks."""
        told = {"name": name, "language": language}
        await self._change(person.email, lambda one: one.model_copy(update=told))

    async def _waiting(self, email: str) -> Person:
        person = await self._person(address_of(email))
        if person is None or not person.waiting:
            raise NotFound("nobody of that address waits")
        return person

    async def _write(self, kind: Happened, who: str, detail: str) -> None:
        await self._store.write_ledger([LedgerLine(self._world.now(), kind, who, detail=detail)])


def _without_offer(kept: Credentials) -> Credentials:
    """Return credentials without a second factor that was offered and is not in force: somebody else may know it."""
    return kept if kept.confirmed else kept.model_copy(update={"secret": None, "last_step": None})


def _tries_of(kept: Credentials) -> Tries | None:
    return Tries(kept.wrong, kept.wrong_since) if kept.wrong else None


def _once_more_wrong(kept: Credentials, now: float) -> Credentials:
    tries = after_wrong(_tries_of(kept), now)
    return kept.model_copy(update={"wrong": tries.count, "wrong_since": tries.since})


def _with_code_used(kept: Credentials, code: str, now: float) -> Credentials | None:
    """Return credentials after a code of the second factor, or one for recovery, was used; None: it is not right."""
    step = second_factor.step_of(kept.secret, code, now, kept.last_step) if kept.secret and kept.confirmed else None
    if step is not None:
        return kept.model_copy(update={"last_step": step, "wrong": 0})
    wanted = second_factor.digest_of(code)
    if wanted in kept.recovery:
        left = tuple(one for one in kept.recovery if one != wanted)
        return kept.model_copy(update={"recovery": left, "wrong": 0})
    return None
