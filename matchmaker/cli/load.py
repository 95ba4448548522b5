"""`matchmaker load`: cases from files into the store."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import progress_bar
from matchmaker.cli.store_access import check_name
from matchmaker.exchange.assembly import REAL_WORLD, open_store
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.loading import Loaded, Telling, load_files, record_files
from matchmaker.genome.genes import load_genes
from matchmaker.intake.patients import Reading
from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.patient import Contact
from matchmaker.mme.validation import validate
from matchmaker.records.case import Sharing
from matchmaker.store.base import Outcome


def load(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="MME JSON or phenopackets, one or many, .gz too; or folders."),
    ],
    share: Annotated[Sharing, typer.Option(help="With whom the cases are shared; never guessed.")],
    owner: Annotated[str, typer.Option(metavar="NAME", help="Whose cases they are.")] = "local",
    contact_name: Annotated[str | None, typer.Option(help="Whom to write to about phenopackets.")] = None,
    contact_href: Annotated[str | None, typer.Option(help="Where: https://… or mailto:….")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Load cases. Good records are kept, bad ones reported; the exit status is 1 if any was bad."""
    check_name(owner)
    settled = configured(config, data_dir)
    contact = _contact(contact_name, contact_href)
    loaded = asyncio.run(_load(settled, paths, owner, share, contact))
    typer.echo(_summary(loaded))
    if loaded.bad:
        raise typer.Exit(1)


def _contact(name: str | None, href: str | None) -> Contact | None:
    if name is None and href is None:
        return None
    try:
        return validate(Contact, {"name": name, "href": href}, "contact")
    except InvalidRequest as error:
        raise ConfigInvalid(f"--contact-name and --contact-href: {error.message}") from None


async def _load(config: Config, paths: list[Path], owner: str, share: Sharing, contact: Contact | None) -> Loaded:
    store = await open_store(config)
    try:
        genes = load_genes(config.genes.table, config.genes.table_version)
        reading = Reading(genes, config.node.contact, contact)
        files = record_files(paths)
        errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        with progress_bar("loading", sum(file.size for file in files), errors) as progress:
            tell = Telling(
                progress=progress,
                bad=lambda rejected: errors.print(f"bad: {rejected}"),
                note=lambda text: errors.print(f"note: {text}"),
            )
            return await load_files(store, reading, files, owner, share, REAL_WORLD, tell)
    finally:
        await store.close()


def _summary(loaded: Loaded) -> str:
    new, changed, same = (loaded.outcomes[o] for o in (Outcome.NEW, Outcome.CHANGED, Outcome.UNCHANGED))
    return f"{loaded.kept} cases: {new} new, {changed} changed, {same} unchanged; {loaded.bad} bad records"
