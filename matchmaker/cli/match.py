"""`matchmaker match`: cases from files against the store, offline."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from matchmaker.cli.options import ConfigFile, DataDir, Json, configured
from matchmaker.cli.showing import explanation_text, offline_table
from matchmaker.exchange.answers import Explanations
from matchmaker.exchange.assembly import effective_knowledge, open_store
from matchmaker.exchange.config import Config
from matchmaker.exchange.loading import record_files
from matchmaker.exchange.offline import Found, OfflineMatcher, open_offline
from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.matching.explanation import Explainer
from matchmaker.matching.profile import Knowledge, Profile


def match(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="MME JSON or phenopackets, .gz too.")],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many matches to show.")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Say why.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Match cases from files against the store: no thresholds, no sharing, no limits; nothing is stored."""
    settled = configured(config, data_dir)
    knowledge, matcher = asyncio.run(_open(settled))
    if not len(matcher):
        typer.echo(f"note: there are no cases in {settled.storage.data_dir}; put some there with: load", err=True)
    reading = Reading(knowledge.genes, settled.node.contact)
    explanations = Explanations(Explainer(knowledge.ontology, knowledge.information))
    bad = 0
    for file in record_files(files):
        for record in reading.patients(file):
            if isinstance(record, Rejected):
                bad += 1
                typer.echo(f"bad: {record}", err=True)
            else:
                _show(record, matcher, explanations, top, explain=explain, as_json=as_json)
    if bad:
        raise typer.Exit(1)


async def _open(config: Config) -> tuple[Knowledge, OfflineMatcher]:
    store = await open_store(config)
    console = Console(stderr=True, highlight=False)
    try:
        with console.status("reading the store's cases") if console.is_terminal else contextlib.nullcontext():
            knowledge = effective_knowledge(config, await store.reference())
            return knowledge, await open_offline(store, knowledge)
    finally:
        await store.close()


def _show(
    record: Taken, matcher: OfflineMatcher, explanations: Explanations, top: int, *, explain: bool, as_json: bool
) -> None:
    profile, found = matcher.match(record.patient, top)
    if as_json:
        results = [_row(one, profile, explanations, explain=explain) for one in found]
        sys.stdout.write(json.dumps({"query": record.patient.id, "results": results}, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(offline_table(record.patient.id, found))
    for one in found if explain else ():
        console.print(explanation_text(one.id, explanations.of(profile, one.profile)))
    for note in profile.notes:
        typer.echo(f"note: {note}", err=True)


def _row(found: Found, query: Profile, explanations: Explanations, *, explain: bool) -> dict[str, Any]:
    score = found.hit.score
    row: dict[str, Any] = {
        "id": found.id,
        "score": score.value,
        "owner": found.owner,
        "phenotype": round(score.phenotype, 6),
        "genotype": round(score.genotype, 6),
    }
    if explain:
        row["explanation"] = explanations.of(query, found.profile).to_json()
    return row
