"""`matchmaker audit`: who was told what, and whether the ledger that says so is whole."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from matchmaker.cli.backups import must_exist
from matchmaker.cli.options import ConfigFile, DataDir, Json, configured
from matchmaker.cli.showing import plain, progress_bar
from matchmaker.cli.store_access import with_store
from matchmaker.exchange.auditing import Heads, Verified, against, verify
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.places import configured_place
from matchmaker.exchange.reporting import Disclosed, report_on
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
    if heads:
        told = {chain.name: [chain.lines, chain.head] for chain in found.chains}
        replace_file(heads, [json.dumps(told, indent=1).encode() + b"\n"], mode=0o600)
    typer.echo("none was changed, none is missing")


def _noted(file: Path | None) -> Heads:
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
    told = asyncio.run(with_store(_existing(configured(config, data_dir)), lambda store: _report(store, owner, case)))
    if as_json:
        for line in told.lines:
            typer.echo(json.dumps(_row(line, told.case.public_id), ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    state = ", withdrawn" if told.case.withdrawn else ""
    console.print(plain(f"{owner}'s case {case}{state}: {len(told.lines)} disclosures", 400))
    if told.lines:
        table = Table("when (UTC)", "who", "what", "level", "purpose", "knows it as")
        for line in told.lines:
            row = _row(line, told.case.public_id)
            table.add_row(row["at"], plain(row["who"]), row["what"], row["level"], row["purpose"], row["knownAs"])
        console.print(table)
    for name in told.notices:
        console.print(plain(f"to be told that it was withdrawn: {name}", 200))


async def _report(store: Store, owner: str, case_id: str) -> Disclosed:
    case = await store.case(owner, case_id)
    if case is None:
        raise NameUnknown(f"{owner!r} has no case {case_id!r}")
    return await report_on(store, case)


def _row(line: LedgerLine, public_id: str) -> dict[str, str]:
    what = {Happened.TOLD: "told", Happened.SHOWN: "shown to a user of this node", Happened.ASKED: "asked about it"}
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
    Console(highlight=False).print(table if lines else "nothing yet")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
