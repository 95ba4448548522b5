"""`matchmaker backup`, `restore` and `store copy`: the whole of a node's records, elsewhere and back."""

import asyncio
import contextlib
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import progress_bar
from matchmaker.exchange.assembly import REAL_WORLD, SNAPSHOT_NAME, open_place
from matchmaker.exchange.backup import Restored, Told, copy, restore, withdrawn_in, write_backup, write_backup_to
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.places import Directory, Place, configured_place, parse_place
from matchmaker.exchange.withdrawals import FILE_NAME, Withdrawal, WithdrawalLog, read_withdrawals
from matchmaker.store.base import Store, StoreBusy, StoreHasOthers, StoreUnusable
from matchmaker.store.sqlite.connecting import FILE_NAME as STORE_NAME

app = typer.Typer(help="The store as a whole.", no_args_is_help=True)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; - for standard output, to be encrypted.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Write the whole store into one file, as of one revision; the node may go on meanwhile."""
    settled = configured(config, data_dir)
    must_exist(configured_place(settled.storage), "--data-dir")
    if str(file) == "-" and sys.stdout.isatty():
        raise ConfigInvalid("FILE: a backup holds health data; send it through a pipe, not to the screen")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half written is removed
    told = asyncio.run(_backup(settled, file))
    typer.echo(f"{file} holds the store as of revision {told.revision}: {_counts(told)}", err=str(file) == "-")


async def _backup(config: Config, file: Path) -> Told:
    made_at = datetime.fromtimestamp(REAL_WORLD.now(), UTC).isoformat(timespec="seconds")
    async with _opened(configured_place(config.storage)) as store:
        with progress_bar("backing up", await store.count_cases()) as progress:
            if str(file) == "-":
                return await write_backup_to(store, sys.stdout.buffer, made_at, progress)
            return await write_backup(store, file, made_at, progress)


def restore_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `matchmaker backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Lose what the store holds now.")] = False,
    withdrawals: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE", help=f"Where else to look for withdrawals: a {FILE_NAME}, or another store."),
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Fill the store with a backup, less every case that was withdrawn since."""
    settled = configured(config, data_dir)
    done = asyncio.run(_restore(settled, file, [_named(text) for text in withdrawals or ()], replace=replace))
    typer.echo(f"restored, read back and compared: revision {done.told.revision}, {_counts(done.told)}")
    typer.echo(f"{done.withdrawn} withdrawals made since the backup were applied, {done.revoked} tokens revoked again")


async def _restore(config: Config, file: Path, others: list[Place | Path], *, replace: bool) -> Restored:
    place = configured_place(config.storage)
    store = await _to_be_filled(place, replace=replace)

    log = config.storage.data_dir / FILE_NAME
    try:
        refused = await _refused(store, log)

        async def withdrawals() -> list[Withdrawal]:
            elsewhere = [await _withdrawals_at(one) for one in others]
            known = _logged(log, itertools.chain(await withdrawn_in(store), *elsewhere))
            gone = {(one.owner, one.id) for one in await withdrawn_in(store)}
            return [one for one in known if one not in refused or (one.owner, one.id) in gone]

        with progress_bar("restoring", None) as progress:
            done = await restore(store, file, withdrawals, REAL_WORLD.now(), replace=replace, progress=progress)
    except StoreHasOthers as error:
        raise StoreHasOthers(f"{place}: {error}, or say --replace to lose what it holds") from None
    else:
        _forget_snapshot(config)
        return done
    finally:
        await store.close()


async def _refused(store: Store, log: Path) -> set[Withdrawal]:
    """Return withdrawals that were logged and then refused: the store, which is whole, still has the case."""
    try:
        await store.revisions()
    except StoreBusy:
        return set()  # it holds a part of another filling: only the log is to be believed
    cases = [(one, await store.case(one.owner, one.id)) for one in read_withdrawals(log)]
    return {one for one, case in cases if case is not None and not case.withdrawn}


def _logged(path: Path, found: Iterable[Withdrawal]) -> list[Withdrawal]:
    """Return the withdrawals of a log and those found elsewhere, which the log has from now on.

    A restore that is broken off may have erased where they were found, and is to know them when it is repeated.
    """
    known = {(one.owner, one.id): one for one in read_withdrawals(path)}
    missing = {(one.owner, one.id): one for one in found if (one.owner, one.id) not in known}
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        WithdrawalLog(path).append(*missing.values())
    return [*known.values(), *missing.values()]


def _forget_snapshot(config: Config) -> None:
    """Remove the kept index: it shows what was there before."""
    (config.storage.data_dir / SNAPSHOT_NAME).unlink(missing_ok=True)


async def _to_be_filled(place: Place, *, replace: bool) -> Store:
    """Open the store to be filled; with `replace`, a damaged file is set aside."""
    try:
        return await open_place(place, to_fill=True)
    except StoreUnusable as error:
        if not (replace and isinstance(place, Directory) and (place.path / STORE_NAME).is_file()):
            raise
        aside = datetime.fromtimestamp(REAL_WORLD.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                damaged = place.path / f"{STORE_NAME}{suffix}"
                damaged.rename(damaged.with_name(f"{STORE_NAME}.damaged-{aside}{suffix}"))
        typer.echo(f"note: {error}", err=True)
        typer.echo(
            f"note: it is set aside as {STORE_NAME}.damaged-{aside}; delete it when you need it no more", err=True
        )
        return await open_place(place, to_fill=True)


async def _withdrawals_at(named: Place | Path) -> Iterable[Withdrawal]:
    if isinstance(named, Path):
        return read_withdrawals(named)
    async with _opened(named) as store:
        found = await withdrawn_in(store)
        if isinstance(named, Directory):
            log = named.path / FILE_NAME
            refused = await _refused(store, log)
            found += [one for one in read_withdrawals(log) if one not in refused]
    return found


def _named(text: str) -> Place | Path:
    """Return what --withdrawals names: a log, or another store."""
    if Path(text).is_file():
        return Path(text)
    place = parse_place(text, "--withdrawals")
    must_exist(place, "--withdrawals")
    return place


@app.command("copy")
def copy_(
    source: Annotated[str, typer.Option("--from", metavar="PLACE", help="A directory, mongodb://… or @FILE with it.")],
    target: Annotated[str, typer.Option("--to", metavar="PLACE", help="The same; empty, or an earlier copy.")],
) -> None:
    """Copy a store, and compare counts and hashes of what is read back. May be repeated. Stop the node first."""
    one, other = parse_place(source, "--from"), parse_place(target, "--to")
    must_exist(one, "--from")
    told, later = asyncio.run(_copy(one, other))
    table = Table("kind", "count", "SHA-256, the same in both")
    for kind, figures in told.contents.items():
        table.add_row(kind, f"{figures['count']:,}", figures["sha256"][:16])
    Console().print(table)
    typer.echo(f"{other} is a copy of {one} as of revision {told.revision}")
    if later:
        typer.echo("note: the source was written to meanwhile; stop its node and copy again", err=True)
        raise typer.Exit(1)


async def _copy(source: Place, target: Place) -> tuple[Told, bool]:
    async with _opened(source) as one, _opened(target, to_fill=True) as other:
        with progress_bar("copying", await one.count_cases()) as progress:
            before = await one.revisions()
            try:
                told = await copy(one, other, progress)
            except StoreHasOthers as error:
                raise StoreHasOthers(f"{target}: {error}") from None
            if isinstance(target, Directory):
                _logged(target.path / FILE_NAME, await withdrawn_in(other))
        return told, await one.revisions() != before


def must_exist(place: Place, option: str) -> None:
    """Raise ConfigInvalid where a directory has no store: a mistyped one is not to be taken for an empty node."""
    if isinstance(place, Directory) and not (place.path / STORE_NAME).is_file():
        raise ConfigInvalid(f"{option}: there is no store in {place}")


@contextlib.asynccontextmanager
async def _opened(place: Place, *, to_fill: bool = False) -> AsyncIterator[Store]:
    store = await open_place(place, to_fill=to_fill)
    try:
        yield store
    finally:
        await store.close()


def _counts(told: Told) -> str:
    names = {"case": "cases", "client": "clients", "peer": "peers", "line": "lines of the ledger"}
    counted = (f"{told.contents.get(kind, {}).get('count', 0):,} {name}" for kind, name in names.items())
    return ", ".join(counted)
