"""`matchmaker load`: cases from files into the store."""

import asyncio
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import progress_bar
from matchmaker.cli.store_access import check_name
from matchmaker.exchange.assembly import REAL_WORLD, open_store
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.loading import Also, Loaded, Telling, load_files, record_files
from matchmaker.genome.genes import load_genes
from matchmaker.intake.patients import Reading
from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.patient import Contact
from matchmaker.mme.validation import validate
from matchmaker.policy.consent import same_institution
from matchmaker.records.person import address_of
from matchmaker.records.sharing import Circle, Level, Sharing
from matchmaker.store.base import SEARCH, Outcome, Store


class _Share(StrEnum):
    """The circles that many cases may be loaded with; named ones are said case by case."""

    NONE = "none"
    INSTITUTION = "institution"
    COUNTRY = "country"
    ALL = "all"


class _Shown(StrEnum):
    """Level, as the command line has it."""

    MINIMAL = "minimal"
    STANDARD = "standard"
    FULL = "full"


def load(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="MME JSON or phenopackets, one or many, .gz too; or folders."),
    ],
    share: Annotated[_Share, typer.Option(help="With whom the cases are shared; never guessed.")],
    owner: Annotated[str, typer.Option(metavar="NAME", help="Whose cases they are.")] = "local",
    level: Annotated[
        _Shown, typer.Option(help="How much of them is shown; full needs explicit consent.")
    ] = _Shown.STANDARD,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="The last day of sharing, such as 2027-01-31.")
    ] = None,
    collection: Annotated[str | None, typer.Option(metavar="NAME", help="The collection that they belong to.")] = None,
    contact_name: Annotated[str | None, typer.Option(help="Whom to write to about phenopackets.")] = None,
    contact_href: Annotated[str | None, typer.Option(help="Where: https://… or mailto:….")] = None,
    person: Annotated[
        str | None, typer.Option("--person", metavar="EMAIL", help="Whose cases they are: who is alerted of matches.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Load cases. Good records are kept, bad ones reported; the exit status is 1 if any was bad."""
    check_name(owner)
    settled = configured(config, data_dir)
    contact = _contact(contact_name, contact_href)
    sharing = Sharing(Circle(share), Level.of(level), until=_day(until), collection=collection)
    loaded = asyncio.run(_load(settled, paths, owner, sharing, contact, address_of(person) if person else None))
    typer.echo(_summary(loaded))
    for words, count in sorted(loaded.loosened.items()):
        typer.echo(f"note: of {count} cases: {words}; load them again as they were if that was not meant", err=True)
    if loaded.bad:
        raise typer.Exit(1)


def _contact(name: str | None, href: str | None) -> Contact | None:
    if name is None and href is None:
        return None
    try:
        return validate(Contact, {"name": name, "href": href}, "contact")
    except InvalidRequest as error:
        raise ConfigInvalid(f"--contact-name and --contact-href: {error.message}") from None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigInvalid(f"--until: expected a day such as 2027-01-31; got {text!r}") from None


async def _check_collection(store: Store, config: Config, owner: str, sharing: Sharing) -> None:
    if sharing.collection is None:
        if config.node.production and sharing.circle not in {Circle.NONE, Circle.INSTITUTION}:
            raise ConfigInvalid("--collection: a node in production shares cases only as part of a collection; name it")
        return
    found = {one.name: one for one in await store.collections()}.get(sharing.collection)
    if found is None:
        raise ConfigInvalid(f"--collection: there is no collection {sharing.collection!r}; see matchmaker collection")
    institution = next((c.institution for c in await store.clients() if c.name == owner), None) or owner
    if not same_institution(found.institution, institution):
        raise ConfigInvalid(f"--collection: {found.name} is of {found.institution}, the owner {owner} of {institution}")


async def _check_person(store: Store, owner: str, person: str | None) -> None:
    if person is None:
        return
    found = {one.email: one for one in await store.people()}.get(person)
    institution = next((c.institution for c in await store.clients() if c.name == owner), None) or owner
    if found is None or not same_institution(found.institution, institution):
        raise ConfigInvalid(f"--person: is nobody of {institution} here; add: matchmaker user add {person}")


async def _load(
    config: Config, paths: list[Path], owner: str, share: Sharing, contact: Contact | None, person: str | None
) -> Loaded:
    store = await open_store(config)
    try:
        await _check_collection(store, config, owner, share)
        await _check_person(store, owner, person)
        genes = load_genes(config.genes.table, config.genes.table_version)
        reading = Reading(genes, config.node.contact, contact)
        files = record_files(paths)
        errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        with progress_bar("loading", sum(file.size for file in files), errors) as progress:
            also = Also((SEARCH,) if config.searches.on_deposit else (), person)
            tell = Telling(
                progress=progress,
                bad=lambda rejected: errors.print(f"bad: {rejected}"),
                note=lambda text: errors.print(f"note: {text}"),
            )
            return await load_files(store, reading, files, owner, share, REAL_WORLD, tell, also)
    finally:
        await store.close()


def _summary(loaded: Loaded) -> str:
    new, changed, same = (loaded.outcomes[o] for o in (Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED))
    return f"{loaded.kept} cases: {new} new, {changed} changed, {same} unchanged; {loaded.bad} bad records"
