"""Matches as people read them in a terminal. Everything from outside is printed as plain text."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from matchmaker.exchange.offline import Found
from matchmaker.mme.messages import Explanation
from matchmaker.mme.strict_json import printable

_WIDTH = 60
_WIDE = 240
_SHOWN = 6  # reasons of one kind, heaviest first


def plain(text: str | None, limit: int = _WIDTH) -> Text:
    """Return a stranger's text without control characters or markup, cut to `limit` characters."""
    return Text(printable(text or "", limit))


def when(at: float | None) -> str:
    """Return a time, seconds since 1970, to the minute in UTC; nothing where there is none."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") if at else ""


def wide_console() -> Console:
    """Return a console for tables of ids and names, which are whole where nobody looks at a screen."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(_WIDE, console.width))


@contextlib.contextmanager
def progress_bar(words: str, total: float | None, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, where that is a terminal; yield what is told how much of `total` is done."""
    shown = console or Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as progress:
        task = progress.add_task(words, total=total)
        yield lambda done: progress.update(task, completed=done)


def offline_table(query: str, found: Sequence[Found]) -> RenderableType:
    """Return a table of offline matches."""
    if not found:
        return plain(f"{query}: nothing in the store is like it", 200)
    table = Table(title=plain(f"Matches of {query}"), title_justify="left")
    for name in ("", "score", "phenotype", "genes"):
        table.add_column(name, justify="right")
    table.add_column("case")
    table.add_column("owner")
    for rank, one in enumerate(found, 1):
        score = one.hit.score
        figures = (f"{value:.3f}" for value in (score.value, score.phenotype, score.genotype))
        table.add_row(str(rank), *figures, plain(one.id), plain(one.owner, 20))
    return table


def explanation_text(case_id: str, explanation: Explanation) -> RenderableType:
    """Return the reasons for one match, a line each."""
    lines = [Text.assemble(("Why ", "bold"), (plain(case_id).plain, "bold"), " (figures: information in nat)")]
    for gene in explanation.shared_genes[:_SHOWN]:
        what = "same variant in " if gene.same_variant else "same gene "
        lines.append(Text.assemble("  ", what, plain(gene.symbol or gene.id), " (", plain(gene.id), ")"))
    lines += [
        Text.assemble(f"  {shared.weight / 1024:5.1f}  both: ", plain(shared.label), " (", plain(shared.id), ")")
        for shared in explanation.shared_terms[:_SHOWN]
    ]
    for related in explanation.related_terms[:_SHOWN]:
        pair = (
            plain(related.query.label),
            " and ",
            plain(related.match.label),
            ", both ",
            plain(related.through.label),
        )
        lines.append(Text.assemble(f"  {related.weight / 1024:5.1f}  alike: ", *pair))
    hidden = _hidden((explanation.shared_genes, explanation.shared_terms, explanation.related_terms))
    if hidden:
        lines.append(Text(f"         and {hidden} smaller reasons"))
    return Group(*lines)


def _hidden(kinds: Iterable[Sequence[object]]) -> int:
    return sum(max(0, len(kind) - _SHOWN) for kind in kinds)
