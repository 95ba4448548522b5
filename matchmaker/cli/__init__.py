"""The commands. Each is a few lines over exchange/; what goes wrong for a known reason is one line, no traceback."""

import sys

import typer

from matchmaker import __version__
from matchmaker.cli import (
    audit,
    backups,
    clients,
    collections,
    data,
    demo,
    doctor,
    heartbeat,
    load,
    mails,
    match,
    peers,
    serve,
    users,
)
from matchmaker.cli.known import KNOWN, say

app = typer.Typer(
    help="A node of the rare-disease matchmaking exchange.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show values, which may be health data
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(load.load)
app.command()(match.match)
app.command()(backups.backup)
app.command("restore")(backups.restore_)
app.add_typer(backups.app, name="store")
app.add_typer(data.app, name="data")
app.add_typer(clients.app, name="client")
app.add_typer(peers.app, name="peer")
app.add_typer(users.app, name="user")
app.add_typer(mails.app, name="mail")
app.add_typer(collections.app, name="collection")
app.add_typer(audit.app, name="audit")
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(heartbeat.heartbeat)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; exit status 1 for what goes wrong, 2 for a wrong call."""
    try:
        app()
    except KNOWN as error:
        say(error)
        sys.exit(1)
