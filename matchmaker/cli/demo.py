"""`matchmaker demo`: Martin's story in a terminal."""

import asyncio
import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from matchmaker.cli.showing import explanation_text, plain
from matchmaker.demo.nodes import DemoFailed
from matchmaker.demo.story import Told, tell
from matchmaker.exchange.messages import SearchAnswer
from matchmaker.mme.media import media_type

_ROWS = 8
_INTERRUPTED = 130  # as a shell has it: 128 and SIGINT


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the story; exit 0 only if the Spanish case came first.")
    ] = False,
) -> None:
    """Start two nodes, Ireland and Spain, and find Martin's match across the border."""
    console = Console(highlight=False, soft_wrap=False)
    told: list[Told] = []

    def show(story: Told) -> None:
        told.append(story)
        _show(console, story)

    try:
        asyncio.run(tell(lambda text: console.print(Text(text)), show, once=once))
    except DemoFailed as error:
        typer.echo(f"matchmaker: {error}", err=True)
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not told:
            raise typer.Exit(_INTERRUPTED) from None
    if not told[0].spanish_case_first:
        typer.echo("matchmaker: the Spanish case did not come first", err=True)
        raise typer.Exit(1)


def _show(console: Console, told: Told) -> None:
    console.print()
    console.print(_matches(told.federated))
    best = told.federated.results[0] if told.federated.results else None
    if best and best.explanation:
        console.print(explanation_text(best.patient.id, best.explanation))
        console.print(
            Text.assemble("  write to ", plain(best.patient.contact.name), ", ", plain(best.patient.contact.href))
        )
    if told.spanish_case_first:
        console.print(
            Text(
                "\nBCKDK deficiency is treated by supplying branched-chain amino acids (PMID 22956686).",
                style="bold",
            )
        )
    console.print()
    console.print(_nodes(told.federated))
    console.print(Text(f"From deposit to answer: {told.seconds:.2f} s."))
    _show_what_left(console, told)
    _show_mails(console, told)
    if told.stays_up:
        console.print(_sign_in(told))
        console.print(Text("Ask the Spanish node yourself, as another node does:\n"))
        console.print(Text(_curl(told)), soft_wrap=True)


def _show_what_left(console: Console, told: Told) -> None:
    """Show each doctor what left the node: exactly what was sent, and what the ledger says of the two children."""
    console.print()
    patient = told.sent.get("patient", {})
    sent = Table("sent to Spain", "", title="What left Ireland, for Martin's doctor", title_justify="left")
    for key, words in (("id", None), ("contact", "name"), ("features", "label"), ("genomicFeatures", "_geneName")):
        sent.add_row(key, plain(_listed(patient.get(key), words), 200))
    left_out = "label, sex, onset, variants: they leave at level full only"
    sent.add_row("never sent", plain(left_out, 200))
    console.print(sent)
    for title, ledger in (("Martin", told.asked), ("the Spanish child", told.shown)):
        if ledger is None:
            continue
        table = Table("when", "who", "what", "level", "knows the case as", title=f"What the ledger says of {title}")
        for line in ledger.disclosures:
            table.add_row(line.at[11:19], plain(line.who), line.what, line.level, plain(line.seen_as, 12))
        console.print(table)


def _show_mails(console: Console, told: Told) -> None:
    """Show what both doctors got: that there is a match, and a link; nothing of a patient."""
    for mail in told.mails:
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        console.print()
        told_to = Text.assemble("to ", plain(str(mail["To"])), ": ", plain(str(mail["Subject"]), 100))
        console.print(Panel(Text(text.strip()), title=told_to, title_align="left"))
        console.print(Text(f"  Message-ID {mail['Message-ID']}", style="dim"))


def _listed(value: object, words: str | None) -> str:
    if isinstance(value, dict):
        return str(value.get(words or "id"))
    if not isinstance(value, list):
        return str(value)
    names = ((one, one.get("gene", one).get(words) or one.get("gene", one).get("id")) for one in value)
    return ", ".join(f"no {name}" if one.get("observed") == "no" else str(name) for one, name in names)


def _matches(answer: SearchAnswer) -> Table:
    table = Table(title=f"Martin's matches, the best {_ROWS} of {len(answer.results)}", title_justify="left")
    for name, justify in (("", "right"), ("score", "right"), ("node", "left"), ("case", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich wants the literal types
    table.add_column("shared gene")
    table.add_column("shared features")
    for rank, result in enumerate(answer.results[:_ROWS], 1):
        shared = result.explanation.shared_terms if result.explanation else ()
        genes = result.explanation.shared_genes if result.explanation else ()
        features = ", ".join(term.label or term.id for term in shared)
        table.add_row(
            str(rank),
            f"{result.score.patient:.3f}",
            plain(result.node),
            plain(result.patient.id, 10),
            plain(", ".join(gene.symbol or gene.id for gene in genes) or "none", 24),
            plain(features, 60),
        )
    return table


def _nodes(answer: SearchAnswer) -> Table:
    table = Table("node", "answer", "results", "took")
    for report in answer.nodes:
        status = f"{report.status}: {report.reason}" if report.reason else str(report.status)
        table.add_row(plain(report.node), plain(status, 80), str(report.results), f"{report.elapsed_ms} ms")
    return table


def _sign_in(told: Told) -> Panel:
    """Show where each doctor, and who runs each node, signs in."""
    table = Table("page", "address", "password", box=None)
    for node in (told.ireland, told.spain):
        for email in (node.doctor, node.operator):
            table.add_row(node.url, email, node.password)
    return Panel(table, title="Look at it yourself, in a browser", title_align="left")


def _curl(told: Told) -> str:
    """A question to the Spanish node, as another node asks it; broken where a shell lets it be."""
    spoken = media_type("1.0")
    parts = [
        ("curl", "-sS", "-H", f"X-Auth-Token: {told.spain.peer_token}"),
        ("-H", f"Content-Type: {spoken}"),
        ("-H", f"Accept: {spoken}"),
        ("--data-binary", f"@{told.query_file}", f"{told.spain.url}/match"),
    ]
    return " \\\n  ".join(shlex.join(part) for part in parts)
