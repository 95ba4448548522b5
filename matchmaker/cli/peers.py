"""`matchmaker peer`: the nodes that are asked."""

import asyncio
import ipaddress
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from matchmaker.cli.options import ConfigFile, DataDir, NodeName, configured
from matchmaker.cli.showing import plain, when, wide_console
from matchmaker.cli.store_access import check_country, check_name, per_month_of, with_store, write_with_line
from matchmaker.exchange.assembly import open_peer_client
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.mme.media import SUPPORTED
from matchmaker.mme.messages import HeartbeatBody
from matchmaker.mme.strict_json import printable
from matchmaker.peers import breaker
from matchmaker.peers.client import read_token
from matchmaker.peers.outcome import PeerFailure
from matchmaker.records.inquiry import PeerHealth
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import DEFAULT_PER_MONTH, Peer, Role
from matchmaker.store.base import Store

app = typer.Typer(help="Peers: the nodes that this one asks.", no_args_is_help=True)


@app.command()
def add(
    name: NodeName,
    url: Annotated[str, typer.Option(metavar="URL", help="What stands before /match.")],
    country: Annotated[str, typer.Option(metavar="CC", help="Two capital letters, such as ES.")],
    token_file: Annotated[Path, typer.Option(metavar="FILE", help="Holds the token that the peer gave us.")],
    api_version: Annotated[str, typer.Option(help="The version it is asked in: 1.0 or 1.1.")] = "1.0",
    mitochondrion: Annotated[
        str, typer.Option(help="How it writes that chromosome: MT, or M as patientMatcher.")
    ] = "MT",
    per_month: Annotated[
        str | None,
        typer.Option(metavar="N|none", help="Cases it agreed to be asked about in 30 days (100); none: any number."),
    ] = None,
    notify_contacts: Annotated[
        bool, typer.Option("--notify-contacts", help="It alerts nobody itself: write to the contacts that it shows.")
    ] = False,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Send the token unencrypted.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Add a peer. Its token stays in the file and is read when the peer is asked."""
    check_name(name)
    check_country(country)
    settled = configured(config, data_dir)
    if name == settled.node.name:
        raise ConfigInvalid(f"NAME: {name} is this node itself; see node.name")
    _check_url(url, allow_http=allow_http)
    if api_version not in SUPPORTED:
        raise ConfigInvalid(f"--api-version: expected {' or '.join(SUPPORTED)}")
    if mitochondrion not in {"MT", "M"}:
        raise ConfigInvalid("--mitochondrion: expected MT or M")
    read_token(token_file)
    told = (name, url.rstrip("/"), country, str(token_file.resolve()), api_version, mitochondrion)
    peer = Peer(*told, per_month_of(per_month, DEFAULT_PER_MONTH), notify_contacts)
    line = LedgerLine(time.time(), Happened.GRANTED, name, detail="peer")
    asyncio.run(with_store(settled, lambda store: _add(store, peer, line)))
    typer.echo(f"{name} is a peer now; try: matchmaker peer test {name}")


@app.command("list")
def show(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all peers, how each has answered lately, and whether its breaker keeps background questions from it."""
    peers, healths = asyncio.run(with_store(configured(config, data_dir), _stand))
    table = Table("name", "country", "url", "version", "a month", "breaker", "lately", "token file")
    now = time.time()
    for peer in peers:
        health = healths.get(peer.name)
        month = "any number" if peer.per_month is None else str(peer.per_month)
        state, lately = breaker.state_of(health, now), plain(_lately(health), 100)
        table.add_row(peer.name, peer.country, peer.url, peer.version, month, state, lately, peer.token_file)
    wide_console().print(table if peers else "no peers yet; add one with: matchmaker peer add")


async def _stand(store: Store) -> tuple[list[Peer], dict[str, PeerHealth]]:
    return await store.peers(), await store.healths()


def _lately(health: PeerHealth | None) -> str:
    """Return how a peer has answered lately, in words."""
    if health is None:
        return "never asked"
    if not health.failures:
        return f"answered {when(health.last_success_at)} in {health.elapsed_ms} ms"
    failed = f"{health.failures} failures since {when(health.failing_since)}, the last: {health.status}"
    return f"{failed}; asked again from {when(health.open_until)}" if health.open_until else failed


@app.command()
def remove(name: NodeName, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Forget a peer: it is asked no more. Its token of ours, if it has one, stays valid: see client revoke."""
    line = LedgerLine(time.time(), Happened.REVOKED, name, detail="peer")
    settled = configured(config, data_dir)
    asyncio.run(with_store(settled, lambda store: write_with_line(store, store.remove_peer(name), line)))
    typer.echo(f"{name} is no peer any more")


@app.command()
def test(name: NodeName, config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Ask a peer for its heartbeat; the exit status is 1 when it does not answer."""
    settled = configured(config, data_dir)
    peers = asyncio.run(with_store(settled, lambda store: store.peers()))
    peer = next((peer for peer in peers if peer.name == name), None)
    if peer is None:
        known = ", ".join(peer.name for peer in peers) or "none yet"
        raise ConfigInvalid(f"there is no peer {name!r}; known are: {known}")
    read_token(Path(peer.token_file))
    heard = asyncio.run(_heartbeat(settled, peer))
    if isinstance(heard, PeerFailure):
        typer.echo(f"{name}: {heard.status}: {heard.reason}", err=True)
        raise typer.Exit(1)
    kind = "production" if heard.production else "not production"
    typer.echo(
        f"{name}: alive, version {printable(heard.version)}, {kind}, accepts {printable(', '.join(heard.accept), 200)}"
    )


async def _heartbeat(config: Config, peer: Peer) -> HeartbeatBody | PeerFailure:
    async with open_peer_client(config) as client:
        return await client.heartbeat(peer, config.peers.deadline_seconds)


async def _add(store: Store, peer: Peer, line: LedgerLine) -> None:
    client = next((one for one in await store.clients() if one.name == peer.name and one.revoked_at is None), None)
    if client is not None and client.role is not Role.NODE:
        raise ConfigInvalid(f"NAME: {peer.name} is a depositor of this node; choose another name for the peer")
    if client is not None and client.country not in {None, peer.country}:
        raise ConfigInvalid(f"--country: the client {peer.name} is of {client.country}: one node in both directions")
    await write_with_line(store, store.add_peer(peer), line)


def _check_url(url: str, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigInvalid(f"--url: is no URL ({error})") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigInvalid("--url: expected https://host/path, without a query")
    if not url.isprintable() or " " in url:
        raise ConfigInvalid("--url: holds white space or a control character")
    if parts.path.rstrip("/").endswith("/match"):
        raise ConfigInvalid("--url: give what stands before /match")
    if parts.username or parts.password:
        raise ConfigInvalid("--url: holds a name or password; the token goes into --token-file")
    if parts.scheme == "http" and not allow_http and not _loopback(parts.hostname):
        raise ConfigInvalid("--url: http would send the token unencrypted; use https, or say --allow-http")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
