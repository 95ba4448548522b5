"""`matchmaker client`: who holds a token of ours."""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from matchmaker.cli.options import ConfigFile, DataDir, NodeName, configured
from matchmaker.cli.showing import plain, wide_console
from matchmaker.cli.store_access import (
    check_country,
    check_email,
    check_name,
    per_month_of,
    with_store,
    write_with_line,
)
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.records.dealing import Dealing, Event
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Client, Purpose, Role, token_digest
from matchmaker.store.base import Claim, Decision, NameUnknown, Store

_LONGEST_NAME, _MOST_LINES = 100, 100_000

app = typer.Typer(help="Clients: who holds a token of this node.", no_args_is_help=True)


@app.command()
def add(
    name: NodeName,
    role: Annotated[Role, typer.Option(help="A node asks /match; a depositor keeps cases and searches.")],
    institution: Annotated[
        str | None, typer.Option(metavar="I", help="Whose it is; the nodes of one institution share one budget.")
    ] = None,
    country: Annotated[str | None, typer.Option(metavar="CC", help="Two capital letters, such as IE.")] = None,
    purpose: Annotated[
        Purpose, typer.Option(help="What for it may use what it is told, as was agreed.")
    ] = Purpose.CLINICAL,
    per_month: Annotated[
        str | None,
        typer.Option(metavar="N|none", help="New profiles that a node may ask about in 30 days; none: any number."),
    ] = None,
    contact: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Whom of it to tell, as when a case is withdrawn.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Add a client and print its token, this once. Only the token's SHA-256 is kept."""
    check_name(name)
    check_country(country)
    settled = configured(config, data_dir)
    agreed = _agreed(per_month, role, settled)
    _check_contact(contact)
    token = secrets.token_urlsafe(32)
    now = time.time()
    client = Client(
        name, role, token_digest(token), institution, country, now, purpose=purpose, per_month=agreed, contact=contact
    )
    detail = f"{role.value}, {purpose.value}"
    line = LedgerLine(now, Happened.GRANTED, name, detail=detail)
    if role is Role.NODE and name == settled.node.name:
        raise ConfigInvalid(f"NAME: {name} is this node itself; see node.name")
    asyncio.run(with_store(settled, lambda store: _add(store, client, line)))
    typer.echo(token)


async def _add(store: Store, client: Client, line: LedgerLine) -> None:
    """Add a client. What a name was told, and whose its cases are, stays with the institution that it was of."""
    former = next((one for one in await store.clients() if one.name == client.name), None)
    if former is not None and former.revoked_at is not None:
        before = former.institution
        gains = former.role is client.role is Role.DEPOSITOR and before is None
        if (former.role, former.organisation) != (client.role, client.organisation) and not gains:
            was = f"a {former.role.value} of {before}" if before else f"a {former.role.value} of no institution"
            raise ConfigInvalid(f"NAME: {client.name} was {was}; add it as that again, or choose another name")
    peer = next((one for one in await store.peers() if one.name == client.name), None)
    if peer is not None and (client.role is not Role.NODE or client.country not in {None, peer.country}):
        raise ConfigInvalid(f"NAME: {client.name} is a peer, of {peer.country}: one node in both directions")
    await write_with_line(store, store.add_client(client), line)


@app.command()
def change(
    name: NodeName,
    purpose: Annotated[Purpose | None, typer.Option(help="What for it may use what it is told.")] = None,
    per_month: Annotated[
        str | None, typer.Option(metavar="N|none", help="New profiles that a node may ask about in 30 days.")
    ] = None,
    contact: Annotated[str | None, typer.Option(metavar="EMAIL", help="Whom of it to tell.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Agree with a client on something else; its token stays."""
    settled = configured(config, data_dir)
    _check_contact(contact)
    if purpose is None and per_month is None and contact is None:
        raise ConfigInvalid("say what is agreed on now: --purpose, --per-month or --contact")
    told = asyncio.run(with_store(settled, lambda store: _change(store, name, purpose, per_month, contact, settled)))
    typer.echo(f"{name}: {told}")


async def _change(
    store: Store, name: str, purpose: Purpose | None, per_month: str | None, contact: str | None, config: Config
) -> str:
    client = next((one for one in await store.clients() if one.name == name and one.revoked_at is None), None)
    if client is None:
        raise NameUnknown(f"there is no client {name!r} with a valid token")
    agreed = client.per_month if per_month is None else _agreed(per_month, client.role, config)
    changed = replace(client, purpose=purpose or client.purpose, per_month=agreed, contact=contact or client.contact)
    told = f"{changed.purpose.value}, {_per_month(client)} -> {_per_month(changed)} new profiles a month"
    line = LedgerLine(time.time(), Happened.GRANTED, name, detail=f"changed: {told}")
    await write_with_line(store, store.change_client(changed), line)
    return told


def _per_month(client: Client) -> str:
    return "any number of" if client.per_month is None else str(client.per_month)


def _check_contact(contact: str | None) -> None:
    if contact is not None:
        check_email(contact, "--contact")


def _agreed(text: str | None, role: Role, config: Config) -> int | None:
    """Return the agreed number of new profiles a month, None: any number."""
    if role is not Role.NODE:
        if text is not None:
            raise ConfigInvalid("--per-month: is agreed with nodes only; a depositor searches as much as it likes")
        return None
    if text is None and config.node.production:
        raise ConfigInvalid("--per-month: say how many new profiles a month were agreed on, or none")
    return per_month_of(text, config.disclosure.per_month)


@app.command("list")
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all clients, revoked ones included, with what the nodes among them were told within 30 days."""
    settled = configured(config, data_dir)
    clients, states = asyncio.run(with_store(settled, _states))
    table = Table(
        "name", "role", "country", "institution", "since", "revoked", "purpose", "new profiles", "told", "state"
    )
    for client in clients:
        since, until = _day(client.created_at), _day(client.revoked_at)
        asked, told, state = states.get(client.name, ("", "", ""))
        table.add_row(
            client.name, client.role, client.country or "", plain(client.institution), since, until, client.purpose,
            asked, told, state,
        )  # fmt: skip
    wide_console().print(table if clients else "no clients yet; add one with: matchmaker client add")


async def _states(store: Store) -> tuple[list[Client], dict[str, tuple[str, str, str]]]:
    """Return all clients, and of each node: new profiles asked of those agreed on, cases told, and its state."""
    clients, now = await store.clients(), time.time()
    refused = Counter(
        line.who for line in await store.recent_lines([Happened.REFUSED], _MOST_LINES) if line.at > now - SPAN_SECONDS
    )
    states = {}
    for client in (one for one in clients if one.role is Role.NODE):
        account = await store.account(client.organisation)
        agreed = "none" if client.per_month is None else str(client.per_month)
        words = ["stopped"] if account.stopped else ["alarm"] if account.alarmed_at > now - SPAN_SECONDS else []
        words += [f"{refused[client.name]} refusals"] if refused[client.name] else []
        asked = f"{len(account.profiles_since(now))} of {agreed}"
        states[client.name] = (asked, str(account.coverage(now)), ", ".join(words))
    return clients, states


@app.command()
def release(
    name: NodeName,
    by: Annotated[str, typer.Option("--by", metavar="PERSON", help="Who releases it: it is written down.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Release the organisation of a node that was stopped, or alarmed: what it was told counts no more."""
    if not by.strip() or not by.isprintable() or len(by) > _LONGEST_NAME:
        raise ConfigInvalid("--by: name the person who releases it")
    organisation = asyncio.run(
        with_store(configured(config, data_dir), lambda store: _release(store, name, by.strip()))
    )
    typer.echo(f"{organisation} is released")


async def _release(store: Store, name: str, person: str) -> str:
    client = next((one for one in await store.clients() if one.name == name and one.role is Role.NODE), None)
    if client is None:
        raise NameUnknown(f"there is no node {name!r} among the clients")
    organisation, now = client.organisation, time.time()
    dealing = Dealing(organisation, now, Event.RELEASED)
    line = LedgerLine(now, Happened.RELEASED, name, detail=f"{organisation}, by {person}")
    await store.settle(Claim(organisation, (), lambda _account, _offers: Decision((), (dealing,), (line,))))
    return organisation


@app.command()
def revoke(name: NodeName, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Revoke a client's token for ever; its cases stay."""
    now = time.time()
    line = LedgerLine(now, Happened.REVOKED, name)
    settled = configured(config, data_dir)
    asyncio.run(with_store(settled, lambda store: write_with_line(store, store.revoke_client(name, now), line)))
    typer.echo(f"{name} is revoked")


def _day(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds is not None else ""
