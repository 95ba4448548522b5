"""`matchmaker client`: who holds a token of ours."""

import asyncio
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from matchmaker.cli.options import ConfigFile, DataDir, NodeName, configured
from matchmaker.cli.showing import plain
from matchmaker.cli.store_access import check_country, check_name, with_store
from matchmaker.records.party import Client, Role, token_digest

app = typer.Typer(help="Clients: who holds a token of this node.", no_args_is_help=True)


@app.command()
def add(
    name: NodeName,
    role: Annotated[Role, typer.Option(help="A node asks /match; a depositor keeps cases and searches.")],
    institution: Annotated[str | None, typer.Option(metavar="I")] = None,
    country: Annotated[str | None, typer.Option(metavar="CC", help="Two capital letters, such as IE.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Add a client and print its token, this once. Only the token's SHA-256 is kept."""
    check_name(name)
    check_country(country)
    token = secrets.token_urlsafe(32)
    client = Client(name, role, token_digest(token), institution, country, time.time())
    asyncio.run(with_store(configured(config, data_dir), lambda store: store.add_client(client)))
    typer.echo(token)


@app.command("list")
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all clients, revoked ones included."""
    clients = asyncio.run(with_store(configured(config, data_dir), lambda store: store.clients()))
    table = Table("name", "role", "country", "institution", "since", "revoked")
    for client in clients:
        since, until = _day(client.created_at), _day(client.revoked_at)
        table.add_row(client.name, client.role, client.country or "", plain(client.institution), since, until)
    Console().print(table if clients else "no clients yet; add one with: matchmaker client add")


@app.command()
def revoke(name: NodeName, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Revoke a client's token for ever; its cases stay."""
    asyncio.run(with_store(configured(config, data_dir), lambda store: store.revoke_client(name, time.time())))
    typer.echo(f"{name} is revoked")


def _day(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds is not None else ""
