"""`matchmaker data`: newer reference data for a node, while it runs."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from matchmaker.cli.backups import must_exist
from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import plain, progress_bar
from matchmaker.cli.store_access import with_store
from matchmaker.exchange.assembly import REAL_WORLD, effective_knowledge
from matchmaker.exchange.config import Config
from matchmaker.exchange.importing import Changes, changes_between, kinds_once, load_with, read_reference
from matchmaker.exchange.places import configured_place
from matchmaker.records.reference import ReferenceFile
from matchmaker.store.base import Store

app = typer.Typer(help="Reference data: HPO, annotations, genes, the assembly chain.", no_args_is_help=True)
_SHOWN = 10  # replaced terms and touched identifiers, those of most cases first
_FOLLOWED = "a running node profiles its cases anew in the background and then switches; its log says when"


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="hp.obo, phenotype.hpoa, HGNC's complete set, a chain; .gz too."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and stop.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Check newer reference data, show what they change, and let every worker of the node take them in."""
    settled = existing(config, data_dir)
    read = kinds_once(read_reference(file, REAL_WORLD.now()) for file in files)
    changes = asyncio.run(with_store(settled, lambda store: _compared(settled, read, store)))
    _show(read, changes)
    if dry_run:
        typer.echo("nothing was imported: --dry-run")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm("Import?")):
        typer.echo("nothing was imported; say --yes to import", err=True)
        raise typer.Exit(1)
    asyncio.run(with_store(settled, lambda store: store.set_reference(read)))
    typer.echo(f"imported; {_FOLLOWED}")


def existing(config: Path | None, data_dir: Path | None) -> Config:
    """Return the configuration of a node that has a store already. Errors: ConfigInvalid."""
    settled = configured(config, data_dir)
    must_exist(configured_place(settled.storage), "--data-dir")
    return settled


async def _compared(config: Config, files: Sequence[ReferenceFile], store: Store) -> Changes:
    imported = {file.kind: file for file in await store.reference()}
    old = effective_knowledge(config, list(imported.values()))
    with tempfile.TemporaryDirectory() as folder:
        together = {**imported, **{file.kind: file for file in files}}
        new = load_with(config, list(together.values()), Path(folder))
        with progress_bar("comparing cases", await store.count_cases()) as progress:
            return await changes_between(old, new, [file.kind for file in files], store, progress)


def _show(files: Sequence[ReferenceFile], changes: Changes) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for file in files:
        console.print(plain(f"{file.name}: {file.kind}, version {file.version}", 200))
    for name, (old, new) in sorted(changes.versions.items()):
        older = "   (older than the one in use)" if new < old else ""
        console.print(f"  {name}: {old} -> {new}{older}")
    console.print(f"terms: {len(changes.terms)} replaced or gone, {changes.added} added")
    console.print(f"cases: {changes.touched} of {changes.cases} have a term, gene or variant that is read otherwise")
    _show_terms(console, changes)
    others = [one for one in changes.by_identifier.most_common() if not one[0].startswith("HP:")]
    for identifier, count in others[:_SHOWN]:
        console.print(plain(f"  {identifier}: in {count} cases", 120))


def _show_terms(console: Console, changes: Changes) -> None:
    if not changes.terms:
        return
    table = Table("term", "means from now on", "cases")
    by_cases = sorted(changes.terms, key=lambda one: (-changes.by_identifier[one.old], one.old))
    for one in by_cases[:_SHOWN]:
        now = f"{one.new} {one.new_label}" if one.new else "nothing: it is left out of scores"
        table.add_row(plain(f"{one.old} {one.label}"), plain(now), str(changes.by_identifier[one.old]))
    console.print(table)
    if len(changes.terms) > _SHOWN:
        console.print(f"and {len(changes.terms) - _SHOWN} more")


@app.command()
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Show which reference data were imported; of all other kinds those of the configuration are used."""
    files = asyncio.run(with_store(existing(config, data_dir), lambda store: store.reference()))
    table = Table("kind", "file", "version", "imported", "SHA-256")
    for file in files:
        day = datetime.fromtimestamp(file.imported_at, UTC).date().isoformat()
        table.add_row(file.kind, plain(file.name), plain(file.version), day, file.sha256[:16])
    Console().print(table if files else "nothing was imported: the data of the configuration are used; see doctor")


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Go back to the reference data of the configuration."""
    if not yes and not (sys.stdin.isatty() and typer.confirm("Forget all imported reference data?")):
        typer.echo("nothing was changed; say --yes to go back", err=True)
        raise typer.Exit(1)
    asyncio.run(with_store(existing(config, data_dir), lambda store: store.clear_reference()))
    typer.echo(f"the data of the configuration are used again; {_FOLLOWED}")
