"""`matchmaker audit`: who was told what, and whether the ledger that says so is whole."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from matchmaker.cli.backups import must_exist
from matchmaker.cli.options import ConfigFile, DataDir, Json, configured
from matchmaker.cli.showing import plain, progress_bar, wide_console
from matchmaker.cli.store_access import with_store
from matchmaker.exchange.auditing import Heads, Verified, against, verify
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.places import configured_place
from matchmaker.exchange.reporting import Disclosed, disclosures, report_on
from matchmaker.ontology.files import replace_file
from matchmaker.policy.names import name_for
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.store.base import NameUnknown, Store

app = typer.Typer(help="The ledger: who was told what, when.", no_args_is_help=True)
_TO_OPERATORS = (
    Happened.REFUSED,
    Happened.DENIED,
    Happened.ALARMED,
    Happened.STOPPED,
    Happened.RELEASED,
    Happened.GRANTED,
    Happened.REVOKED,
    Happened.COLLECTION,
    Happened.PURGED,
)


@app.command("verify")
def verify_(
    heads: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Compare with the heads noted there, then note them anew; keep it elsewhere."
        ),
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Verify the whole ledger; the exit status is 1 if a line was changed or is missing."""
    settled = _existing(configured(config, data_dir))
    noted = _noted(heads)
    found = asyncio.run(with_store(settled, lambda store: _verify(store, noted)))
    for fault in found.faults:
        typer.echo(f"chain {fault.chain}: {fault.what}", err=True)
    typer.echo(f"{found.lines:,} lines in {len(found.chains):,} chains")
    if found.faults:
        raise typer.Exit(1)
    if heads and not noted:
        typer.echo(f"nothing was noted in {heads} before: compared with nothing, and noted now")
    if heads:
        told = {chain.name: [chain.lines, chain.head] for chain in found.chains}
        replace_file(heads, [json.dumps(told, indent=1).encode() + b"\n"], mode=0o600)
    typer.echo("none was changed, none is missing")


def _noted(file: Path | None) -> Heads:
    if file is not None and not file.parent.is_dir():
        raise ConfigInvalid(f"--heads: there is no directory {file.parent}")
    if file is None or not file.exists():
        return {}
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): (int(lines), str(head)) for name, (lines, head) in noted.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigInvalid(f"--heads: {file} holds no heads ({type(error).__name__})") from None


def _existing(config: Config) -> Config:
    must_exist(configured_place(config.storage), "--data-dir")
    return config


async def _verify(store: Store, noted: Heads) -> Verified:
    total = sum(chain.lines - chain.first for chain in await store.chains())
    with progress_bar("verifying", total) as progress:
        found = await verify(store, progress)
        return replace(found, faults=(*found.faults, *await against(store, found.chains, noted)))


@app.command()
def report(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose case it is.")],
    case: Annotated[str, typer.Argument(metavar="CASE", help="The owner's id of it.")],
    as_json: Json = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Report on one patient: who was told what of the case, when; withdrawn cases included."""
    settled = _existing(configured(config, data_dir))
    told, contacts = asyncio.run(with_store(settled, lambda store: _report(store, owner, case)))
    if as_json:
        typer.echo(disclosures(told).model_dump_json(by_alias=True, exclude_none=True))
        return
    console = wide_console()
    state = ", withdrawn" if told.case.withdrawn else ""
    console.print(plain(f"{owner}'s case {case}{state}: {len(told.lines)} disclosures", 400))
    if told.lines:
        table = Table(
            "when (UTC)", "who", "what", "level", "purpose", Column("knows it as", no_wrap=True, min_width=32)
        )
        for line in told.lines:
            row = _row(line, told.case.public_id)
            table.add_row(row["at"], plain(row["who"]), row["what"], row["level"], row["purpose"], row["knownAs"])
        console.print(table)
    for name in told.notices:
        to = contacts.get(name) or "no contact is known: see client add --contact"
        console.print(plain(f"to be told that it was withdrawn: {name} ({to})", 200))


async def _report(store: Store, owner: str, case_id: str) -> tuple[Disclosed, dict[str, str | None]]:
    case = await store.case(owner, case_id)
    if case is None:
        raise NameUnknown(f"{owner!r} has no case {case_id!r}")
    return await report_on(store, case), {client.name: client.contact for client in await store.clients()}


def _row(line: LedgerLine, public_id: str) -> dict[str, str]:
    what = {
        Happened.TOLD: "told",
        Happened.SHOWN: "shown to a user of this node",
        Happened.ASKED: "asked about it",
        Happened.UNSENT: "the question never left",
    }
    told = {"at": _when(line.at), "who": line.who, "what": what[line.kind], "level": line.level}
    return {**told, "purpose": line.purpose, "knownAs": name_for(line.who, public_id)}


@app.command()
def recent(
    count: Annotated[int, typer.Option("--count", min=1, max=100_000, help="How many lines.")] = 50,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show the latest refusals, denials, alarms, stops, and tokens given and revoked."""
    settled = _existing(configured(config, data_dir))
    lines = asyncio.run(with_store(settled, lambda store: store.recent_lines(_TO_OPERATORS, count)))
    table = Table("when (UTC)", "what", "who", "")
    for line in lines:
        table.add_row(_when(line.at), line.kind.value, plain(line.who), plain(line.detail, 120))
    wide_console().print(table if lines else "nothing yet")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
