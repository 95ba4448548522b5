"""`matchmaker mail`: whether mails reach people, and which did not."""

import asyncio
import secrets
import time
from typing import Annotated

import typer
from rich.table import Table

from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.compose import Envelope, test_message
from matchmaker.alerts.delivery import Delivery, Outcome
from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import plain, when, wide_console
from matchmaker.cli.store_access import check_email, with_store
from matchmaker.exchange.assembly import open_transport
from matchmaker.exchange.config import Config
from matchmaker.exchange.mailing import message_id
from matchmaker.records.alert import Mail, MailState
from matchmaker.store.base import NameUnknown, Store

_MOST = 1_000
app = typer.Typer(help="Mails: whether they reach people, and which did not.", no_args_is_help=True)


@app.command()
def test(
    email: Annotated[str | None, typer.Argument(metavar="EMAIL", help="To whom; to the sender when left out.")] = None,
    language: Annotated[str | None, typer.Option(metavar="L", help="In which language.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Send a mail through the configured server, now; the exit status is 1 when it is not taken."""
    settled = configured(config, data_dir)
    recipient = check_email(email, "EMAIL") if email else settled.mail.sender
    delivery = asyncio.run(_test(settled, recipient, language))
    mail = settled.mail
    where = settled.maildir if mail.transport == "maildir" else f"{mail.host}, port {mail.port}, {mail.security}"
    if delivery.outcome is not Outcome.TAKEN:
        typer.echo(f"matchmaker: {where} did not take it: {delivery.reason}", err=True)
        raise typer.Exit(1)
    typer.echo(f"a mail to {recipient} was taken by {where}")


async def _test(config: Config, recipient: str, language: str | None) -> Delivery:
    catalogues = Catalogues(config.alerts.language, config.alerts.catalogues)
    name = secrets.token_hex(16)
    envelope = Envelope(
        sender=config.mail.sender,
        recipient=recipient,
        message_id=message_id(name, config.mail.sender),
        at=time.time(),
        node=config.node.name,
        language=catalogues.nearest(language),
    )
    transport = open_transport(config)
    try:
        return await transport.deliver(test_message(envelope, catalogues.of(language)), recipient, name)
    finally:
        await transport.close()


@app.command("list")
def show(
    every: Annotated[bool, typer.Option("--all", help="Those that were sent, too.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """List mails that wait or were given up, newest first, and why."""
    states = set(MailState) if every else {MailState.WAITING, MailState.GIVEN_UP}
    mails, counts, nobody = asyncio.run(with_store(configured(config, data_dir), lambda store: _mails(store, states)))
    table = Table("mail", "to", "about", "made", "state", "tries", "next try", "what the server said")
    for one in mails:
        about = one.kind.value if one.kind.value != "matches" else f"{one.alerts} matches"
        due = when(one.due) if one.state is MailState.WAITING else ""
        told = (one.id, one.recipient, about, when(one.created_at), one.state.value, str(one.attempts), due)
        table.add_row(*told, plain(one.reason, 100))
    console = wide_console()
    if mails:
        console.print(table)
    console.print(", ".join(f"{counts.get(state, 0)} {state.value}" for state in MailState))
    if nobody:
        console.print(f"{nobody} alerts have nobody to go to: give cases an owner, or client change --contact")


async def _mails(store: Store, states: set[MailState]) -> tuple[list[Mail], dict[MailState, int], int]:
    return await store.mails(states, _MOST), await store.count_mails(), await store.unaddressed()


@app.command()
def retry(
    mail: Annotated[str | None, typer.Argument(metavar="MAIL", help="Which one; all when left out.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Try mails anew that were given up, under their Message-IDs."""
    tried = asyncio.run(with_store(configured(config, data_dir), lambda store: _retry(store, mail)))
    typer.echo(f"{tried} mails are tried again")


async def _retry(store: Store, mail: str | None) -> int:
    ids = [mail] if mail else [one.id for one in await store.mails([MailState.GIVEN_UP], 1_000_000)]
    tried = [await store.retry_mail(one, time.time()) for one in ids]
    if mail and not all(tried):
        raise NameUnknown(f"there is no mail {mail!r} that was given up; see matchmaker mail list")
    return sum(tried)
