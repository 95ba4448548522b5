"""`matchmaker user` from its arguments: who is added, let in or invited keeps nothing that a stranger set before."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from matchmaker.accounts.sessions import digest
from matchmaker.records.account import Credentials, Session, SessionKind
from matchmaker.records.person import Person, PersonRole
from matchmaker.store.base import Store
from matchmaker.store.sqlite.adapter import open_sqlite
from tests.cli.test_commands import Run, one_line, run

__all__ = ["run"]  # a fixture

Result = TypeVar("Result")
ANA = "ana@dublin.example"
FORMER = Credentials(
    email=ANA, password="of former days", secret="A", confirmed=True, recovery=("0",), subject="x y", invitation="0"
)


def in_store(tmp_path: Path, work: Callable[[Store], Awaitable[Result]]) -> Result:
    async def done() -> Result:
        store = open_sqlite(tmp_path / "data")
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(done())


def keep(tmp_path: Path, credentials: Credentials | None = None, **told: Any) -> None:
    """Keep Ana, with a session that was begun before."""
    person = {"email": ANA, "institution": "", "role": PersonRole.CLINICIAN, "created_at": 1.0, **told}
    session = Session(digest=digest("token"), email=ANA, kind=SessionKind.OPEN, created_at=1e12, seen_at=1e12)

    async def work(store: Store) -> None:
        await store.put_person(Person.model_validate(person))
        await store.put_session(session)
        if credentials is not None:
            await store.change_credentials(ANA, lambda _: credentials)

    in_store(tmp_path, work)


def kept(tmp_path: Path) -> tuple[Person, Credentials | None]:
    async def work(store: Store) -> tuple[Person, Credentials | None]:
        (person,) = await store.people()
        return person, await store.credentials(ANA)

    return in_store(tmp_path, work)


@pytest.mark.parametrize("waiting", [True, False], ids=["who waits", "who was closed"])
def test_who_is_added_over_somebody_of_that_address_has_no_way_in_of_before(
    run: Run, tmp_path: Path, waiting: bool
) -> None:
    """Whoever registered under another's address, or had it before, would come in by the former password."""
    keep(tmp_path, FORMER, disabled_at=2.0, waiting=waiting, institution="Evil", name="Mallory")
    added = run("user", "add", ANA, "--institution", "Hospital of Dublin", "--role", "clinician")
    assert added.returncode == 0, added.stderr
    person, credentials = kept(tmp_path)
    assert (person.institution, person.name, person.waiting, person.disabled_at) == (
        "Hospital of Dublin", None, False, None,
    )  # fmt: skip
    assert credentials == Credentials(email=ANA)
    assert in_store(tmp_path, lambda store: store.signed_in(digest("token"))) is None
    assert in_store(tmp_path, lambda store: store.credentials_of_subject("x y")) is None
    assert in_store(tmp_path, lambda store: store.credentials_of_invitation("0")) is None


def test_who_is_known_is_not_added_again_and_keeps_all(run: Run, tmp_path: Path) -> None:
    keep(tmp_path, FORMER, institution="Hospital of Dublin")
    before = kept(tmp_path)
    assert "known already" in one_line(run("user", "add", ANA, "--institution", "Evil", "--role", "operator"))
    assert kept(tmp_path) == before
    assert in_store(tmp_path, lambda store: store.signed_in(digest("token")))


def test_a_link_of_the_command_is_good_for_the_person_and_stands_in_the_ledger(run: Run, tmp_path: Path) -> None:
    keep(tmp_path, institution="Hospital of Dublin")
    told = run("user", "invite", ANA.upper(), MATCHMAKER_SERVER__PUBLIC_URL="https://ireland.example")
    assert told.returncode == 0, told.stderr
    link = re.fullmatch(r"https://ireland\.example/invitation/([A-Za-z0-9_-]{43})\n", told.stdout)
    assert link, told.stdout
    found = in_store(tmp_path, lambda store: store.credentials_of_invitation(digest(link[1])))
    assert found
    assert (found.email, found.password) == (ANA, None)
    lines = in_store(tmp_path, lambda store: store.recent_lines(["granted"], 10))
    assert [(one.who, one.detail) for one in lines] == [(ANA, "a link to set a password, by a command")]


@pytest.mark.parametrize("told", [{"waiting": True, "disabled_at": 2.0}, {"disabled_at": 2.0}])
def test_nobody_who_waits_or_is_closed_is_invited(run: Run, tmp_path: Path, told: dict[str, Any]) -> None:
    keep(tmp_path, **told)
    assert "there is nobody" in one_line(run("user", "invite", ANA))
    assert kept(tmp_path)[1] is None


def test_a_newcomer_of_a_provider_is_not_let_in_without_an_institution(run: Run, tmp_path: Path) -> None:
    """The provider tells none; and a clinician of no institution would be everybody's colleague, or nobody's."""
    keep(tmp_path, Credentials(email=ANA, subject="x y"), waiting=True, disabled_at=2.0)
    before = kept(tmp_path)
    for institution in ([], ["--institution", ""], ["--institution", "  "]):
        assert "--institution" in one_line(run("user", "approve", ANA, *institution))
    assert kept(tmp_path) == before
    done = run("user", "approve", ANA, "--institution", "Hospital of Dublin", "--role", "curator")
    assert done.returncode == 0, done.stderr
    assert f"matchmaker user invite {ANA}" in done.stdout
    person, credentials = kept(tmp_path)
    assert (person.institution, person.role, person.waiting, person.disabled_at) == (
        "Hospital of Dublin", PersonRole.CURATOR, False, None,
    )  # fmt: skip
    assert credentials == Credentials(email=ANA, subject="x y"), "the provider is the way in"


@pytest.mark.parametrize("institution", ["Dublin\nCork", "Dub\u202elin", "x" * 256])
def test_an_institution_that_is_no_line_of_text_is_refused_by_each_command(
    run: Run, tmp_path: Path, institution: str
) -> None:
    keep(tmp_path, waiting=True, disabled_at=2.0)
    before = kept(tmp_path)
    for command in ("add", "approve"):
        told = ["--institution", institution, "--role", "clinician"]
        assert "--institution" in one_line(run("user", command, ANA, *told)), command
    assert kept(tmp_path) == before
