"""`matchmaker doctor`: the effective configuration, the data's versions, and what is wrong."""

import asyncio
import time

import typer

from matchmaker import __version__
from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.store_access import with_store
from matchmaker.exchange.checkup import check
from matchmaker.exchange.config import Config
from matchmaker.exchange.places import configured_place
from matchmaker.exchange.reference import with_imported
from matchmaker.peers import breaker
from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.records.alert import MailState
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.reference import ReferenceFile
from matchmaker.store.base import Store

_SECRET = ("token", "password", "secret", "key")


def doctor(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """Print the effective configuration, redacted, the data's versions, and what is wrong; exit 1 if anything is."""
    settled = configured(config, data_dir)
    clients, peers, cases, imported, telling = asyncio.run(with_store(settled, _counts))
    typer.echo(f"matchmaker {__version__}\n")
    for line in _settings(settled):
        typer.echo(line)
    checkup = check(with_imported(settled, imported), clients, peers)
    typer.echo("\n[data]")
    for name, version in checkup.versions.items():
        typer.echo(f"{name} = {version}")
    typer.echo(f"\n[store]\nplace = {configured_place(settled.storage)}")
    typer.echo(f"cases = {cases}\nclients = {len(clients)}\npeers = {len(peers)}\n")
    advice = (*checkup.advice, *telling)
    for text in checkup.wrong:
        typer.echo(f"wrong: {text}")
    for text in advice:
        typer.echo(f"advice: {text}")
    if checkup.wrong:
        raise typer.Exit(1)
    typer.echo(f"nothing is wrong; {len(advice)} pieces of advice" if advice else "nothing is wrong")


async def _counts(store: Store) -> tuple[list[Client], list[Peer], int, list[ReferenceFile], list[str]]:
    await store.probe()
    clients, peers, imported = await store.clients(), await store.peers(), await store.reference()
    return clients, peers, await store.count_cases(), imported, await _telling(store, clients)


async def _telling(store: Store, clients: list[Client]) -> list[str]:
    """Return what should be looked at of what is told: cases without a collection, peers stopped or alarmed."""
    advice = []
    if count := await store.count_without_collection():
        advice.append(f"{count} cases are shared and belong to no collection: nobody has stated their legal basis")
    mails = await store.count_mails()
    if given_up := mails.get(MailState.GIVEN_UP, 0):
        advice.append(f"{given_up} mails were given up; see matchmaker mail list")
    if nobody := await store.unaddressed():
        advice.append(f"{nobody} alerts have nobody to go to: cases have neither owner nor institution's mailbox")
    now = time.time()
    healths = (await store.healths()).values()
    advice += [f"peer {one.name}: {breaker.described(one)}" for one in healths if breaker.is_open(one, now)]
    for client in (one for one in clients if one.role is Role.NODE and one.revoked_at is None):
        account = await store.account(client.organisation)
        told = f"told of {account.coverage(now)} new cases in 30 days; see matchmaker client list"
        if account.stopped:
            advice.append(f"client {client.name} is stopped: {told}, and matchmaker client release")
        elif account.alarmed_at > now - SPAN_SECONDS:
            advice.append(f"client {client.name} was {told}")
    return advice


def _settings(config: Config) -> list[str]:
    lines = []
    for section, values in config.model_dump(mode="json").items():
        lines.append(f"[{section}]")
        for key, value in values.items():
            hidden = value and any(word in key.split("_") for word in _SECRET)
            lines.append(f"{key} = {'(hidden)' if hidden else value!r}")
    return lines
