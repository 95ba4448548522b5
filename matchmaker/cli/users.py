"""`matchmaker user`: the people who work with the cases, or run the node."""

import asyncio
import re
import time
from typing import Annotated

import typer
from rich.table import Table

from matchmaker.alerts.catalogues import Catalogues
from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import plain, when, wide_console
from matchmaker.cli.store_access import check_email, with_store, write_with_line
from matchmaker.exchange.assembly import REAL_WORLD
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.signing_in import SigningIn
from matchmaker.policy.news import NONE_CHOSEN
from matchmaker.records.account import Credentials
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.person import Person, PersonRole
from matchmaker.store.base import NameTaken, NameUnknown, Store

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LONGEST = 255
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address.")]

app = typer.Typer(help="People: who is alerted of matches, and who runs the node.", no_args_is_help=True)


@app.command()
def add(
    email: Email,
    institution: Annotated[str, typer.Option(metavar="I", help="Whose cases: as client add --institution.")],
    role: Annotated[PersonRole, typer.Option(help="A clinician has cases, an operator sees none.")],
    language: Annotated[str, typer.Option(metavar="L", help="Of mails and pages, such as es.")] = "en",
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Add a person: from then on cases may be deposited with this owner, who is alerted of their matches."""
    settled = configured(config, data_dir)
    address = check_email(email, "EMAIL")
    _check_institution(institution)
    person = Person(
        email=address,
        institution=institution.strip(),
        role=role,
        language=_language(language, settled),
        created_at=time.time(),
    )
    asyncio.run(with_store(settled, lambda store: _add(store, person)))
    article = "an" if role is PersonRole.OPERATOR else "a"
    typer.echo(f"{address} is {article} {role.value} of {person.institution}")
    typer.echo(f"a link to set a password: matchmaker user invite {address}", err=True)


def _check_institution(text: str) -> None:
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST:
        raise ConfigInvalid("--institution: expected the name of an institution, in one line")


def _language(text: str, config: Config) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ConfigInvalid(f"--language: expected a code such as es or pt-BR; got {text!r}")
    spoken = Catalogues(config.alerts.language, config.alerts.catalogues)
    if spoken.nearest(text).split("-")[0] != text.split("-", maxsplit=1)[0]:
        languages = ", ".join(spoken.languages())
        raise ConfigInvalid(f"--language: this node speaks {languages}; see alerts.catalogues for adding {text}")
    return text


async def _add(store: Store, person: Person) -> None:
    known = {one.email: one for one in await store.people()}.get(person.email)
    if known is not None and known.disabled_at is None:
        raise NameTaken(f"{person.email} is known already: a {known.role.value} of {known.institution}")
    line = LedgerLine(person.created_at, Happened.GRANTED, person.email, detail=f"user, {person.role.value}")
    # Whoever asked to be let in under this address, or had it before, keeps no way in.
    await store.change_credentials(person.email, lambda kept: Credentials(email=kept.email))
    await store.end_sessions(person.email)
    await write_with_line(store, _put(store, person), line)


async def _put(store: Store, person: Person) -> None:
    await store.put_person(person)


@app.command("list")
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all people, those who are disabled included, and how often each gets mails."""
    people, choices = asyncio.run(with_store(configured(config, data_dir), _people))
    table = Table("email", "role", "institution", "language", "mails", "since", "disabled")
    for one in people:
        mails = choices.get(one.email, NONE_CHOSEN).frequency.value
        since, until = when(one.created_at), "waits" if one.waiting else when(one.disabled_at)
        table.add_row(one.email, one.role.value, plain(one.institution), one.language, mails, since, until)
    wide_console().print(table if people else "nobody yet; add somebody with: matchmaker user add")


async def _people(store: Store) -> tuple[list[Person], dict[str, Choices]]:
    return await store.people(), await store.choices()


@app.command()
def change(
    email: Email,
    language: Annotated[str | None, typer.Option(metavar="L", help="Of mails and pages.")] = None,
    mails: Annotated[Frequency | None, typer.Option(help="How often mails about matches are sent at most.")] = None,
    role: Annotated[PersonRole | None, typer.Option(help="What the person may do.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Change what is known of a person; the link in each mail changes more of what is sent."""
    settled = configured(config, data_dir)
    address = check_email(email, "EMAIL")
    spoken = _language(language, settled) if language else None
    asyncio.run(with_store(settled, lambda store: _change(store, address, spoken, mails, role)))
    typer.echo(f"{address} is changed")


async def _change(
    store: Store, address: str, language: str | None, mails: Frequency | None, role: PersonRole | None
) -> None:
    person = await _known(store, address)
    changed = person.model_copy(update={"language": language or person.language, "role": role or person.role})
    line = LedgerLine(time.time(), Happened.GRANTED, address, detail=f"changed: {changed.role.value}")
    await write_with_line(store, _put(store, changed), line)
    choices = (await store.choices()).get(address, NONE_CHOSEN)
    chosen = {"frequency": mails or choices.frequency, "language": language or choices.language}
    await store.put_choices(address, choices.model_copy(update=chosen))


@app.command()
def invite(email: Email, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Print a link by which a person sets a password, for the first time or a new one; good once, for seven days."""
    settled = configured(config, data_dir)
    address = check_email(email, "EMAIL")
    token = asyncio.run(with_store(settled, lambda store: _invite(store, address, settled)))
    typer.echo(f"{settled.public_url}/invitation/{token}")


async def _invite(store: Store, address: str, config: Config) -> str:
    person = await _known(store, address)
    return await SigningIn(config.sign_in, store, None, REAL_WORLD).invite(person.email)


@app.command()
def approve(
    email: Email,
    institution: Annotated[str | None, typer.Option(metavar="I", help="Another one than was asked for.")] = None,
    role: Annotated[PersonRole, typer.Option(help="What the person may do.")] = PersonRole.CLINICIAN,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Let somebody in who asked for it by the pages, and waits."""
    settled = configured(config, data_dir)
    address = check_email(email, "EMAIL")
    if institution is not None:
        _check_institution(institution)
    asyncio.run(with_store(settled, lambda store: _approve(store, address, institution, role)))
    typer.echo(f"{address} is let in; a link to set a password: matchmaker user invite {address}")


async def _approve(store: Store, address: str, institution: str | None, role: PersonRole) -> None:
    person = {one.email: one for one in await store.people()}.get(address)
    if person is None or not person.waiting:
        raise NameUnknown(f"nobody {address!r} waits; see matchmaker user list")
    if not (institution or person.institution).strip():
        raise ConfigInvalid("--institution: say whose cases the person may see; the provider did not tell")
    let_in = {"waiting": False, "disabled_at": None, "role": role, "institution": institution or person.institution}
    line = LedgerLine(time.time(), Happened.GRANTED, address, detail=f"user, {role.value}, approved")
    await write_with_line(store, _put(store, person.model_copy(update=let_in)), line)


@app.command()
def disable(email: Email, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Disable a person: alerts go to the institution's mailbox from then on; the cases stay."""
    address = check_email(email, "EMAIL")
    asyncio.run(with_store(configured(config, data_dir), lambda store: _disable(store, address)))
    typer.echo(f"{address} is disabled")


async def _disable(store: Store, address: str) -> None:
    person, now = await _known(store, address), time.time()
    line = LedgerLine(now, Happened.REVOKED, address, detail="user")
    await write_with_line(store, _put(store, person.model_copy(update={"disabled_at": now})), line)


async def _known(store: Store, address: str) -> Person:
    person = {one.email: one for one in await store.people()}.get(address)
    if person is None or person.disabled_at is not None:
        raise NameUnknown(f"there is nobody {address!r} here; see matchmaker user list")
    return person
