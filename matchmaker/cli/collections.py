"""`matchmaker collection`: what an institution says of its cases, and what may be told of them."""

import asyncio
import json
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.cli.showing import plain, wide_console
from matchmaker.cli.store_access import with_store, write_with_line
from matchmaker.exchange.config import ConfigInvalid
from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.validation import validate
from matchmaker.policy.data_use import collection_allows
from matchmaker.records.collection import Collection
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Purpose
from matchmaker.store.base import NameUnknown, Store

app = typer.Typer(help="Collections: whose cases, on what legal basis, for what use.", no_args_is_help=True)
_LARGEST = 1 << 20
_TEMPLATE = """\
# A collection of cases, as the 1+MG survey on accessible genomes (July 2020) asks. Fill it in, leave out what does not
# apply, and give it to: matchmaker collection add FILE. What is not known counts as no.
# Letters, digits, dot, dash, underscore:
name = "rare-diseases"
# The --institution of the depositors whose cases belong to it, or the name of one that has none:
institution = "Hospital of Dublin"
title = "Unsolved rare diseases"
# clinical, research or other
mainPurpose = "clinical"
# WGS, WES, clinical exome, arrays
geneticData = ["WES"]
# clinical information, treatment, response, lifestyle, socio-economic status
clinicalData = ["clinical information"]
subjects = 1200
# centralised or federated
storage = "federated"
subjectsIdentifiedBy = "a number of the hospital's own"
phenotypesLinkedTo = "the patient record"
# free text, structured, dates
phenotypeForm = ["structured"]
dataQuality = "reviewed by a clinical geneticist"
# Under the GDPR: "yes", "no", "no, but re-consenting is possible" or "don't know"
legalBasis = "don't know"
# May the data be used for future research, and for the benefit of other patients? "yes", "no" or "don't know"
futureResearch = "don't know"
benefitOfOthers = "don't know"
# Codes of the Data Use Ontology, such as DUO:0000043 (clinical care use)
dataUse = []
# The last day of a time limit on use
#until = "2030-12-31"

# A monitored address of the institution: what others see instead of a clinician's own, unless the owner says otherwise.
[contact]
name = "Matching team"
href = "mailto:matching@hospital.example"
"""


@app.command()
def template() -> None:
    """Print a form to fill in."""
    typer.echo(_TEMPLATE, nl=False)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The form, filled in: TOML, or JSON.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Keep a collection, or change the one of its name."""
    collection = _read(file)
    known = asyncio.run(with_store(configured(config, data_dir), lambda store: _put(store, collection)))
    typer.echo(f"{collection.name} is {'changed' if known else 'added'}; its cases may be told {_words(collection)}")


async def _put(store: Store, collection: Collection) -> bool:
    others = {one.name: one for one in await store.collections()}
    before = others.get(collection.name)
    if before is not None and before.institution != collection.institution:
        raise ConfigInvalid(f"name: {collection.name} is a collection of {before.institution}; choose another name")
    changed = await store.put_collection(collection)
    line = LedgerLine(time.time(), Happened.COLLECTION, collection.institution, detail=_change(before, collection))
    await store.write_ledger([line])
    return changed


def _change(before: Collection | None, after: Collection) -> str:
    """Say what is another answer than before, of those that decide what may be told."""
    old, new = (one.to_json() if one else {} for one in (before, after))
    deciding = ("legalBasis", "benefitOfOthers", "futureResearch", "dataUse", "until")
    said = [f"{key}: {old.get(key, '-')} -> {new.get(key, '-')}" for key in deciding if old.get(key) != new.get(key)]
    return f"{after.name} {'changed' if before else 'added'}; {'; '.join(said) or 'nothing that decides who is told'}"


@app.command("list")
def show_all(config: ConfigFile = None, data_dir: DataDir = None) -> None:
    """List all collections, and for what their cases may be told."""
    found = asyncio.run(with_store(configured(config, data_dir), lambda store: store.collections()))
    table = Table("name", "institution", "legal basis", "others' benefit", "research", "data use", "told")
    for one in found:
        use = ", ".join(one.data_use)
        table.add_row(
            one.name,
            plain(one.institution),
            one.legal_basis,
            one.benefit_of_others,
            one.future_research,
            use,
            _words(one),
        )
    wide_console().print(table if found else "no collections yet; begin with: matchmaker collection template")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME")], config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """Print a collection, as JSON."""
    found = asyncio.run(with_store(configured(config, data_dir), lambda store: store.collections()))
    one = next((one for one in found if one.name == name), None)
    if one is None:
        raise NameUnknown(f"there is no collection {name!r}")
    typer.echo(json.dumps(one.to_json(), indent=2, ensure_ascii=False))


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME")], config: ConfigFile = None, data_dir: DataDir = None
) -> None:
    """Forget a collection: its cases are then told to nobody but their owners."""
    line = LedgerLine(time.time(), Happened.COLLECTION, "", detail=f"{name} removed")
    settled = configured(config, data_dir)
    asyncio.run(with_store(settled, lambda store: write_with_line(store, store.remove_collection(name), line)))
    typer.echo(f"{name} is no collection any more; what of its cases is left is told to nobody but their owners")


def _words(collection: Collection) -> str:
    """Say for which purposes cases may be told, and how far away."""
    today = datetime.now(UTC).date()
    told = {
        near: [
            purpose.value
            for purpose in Purpose
            if collection_allows(collection, purpose, today, own_institution=near, compatriot=near)
        ]
        for near in (False, True)
    }
    if told[False]:
        return f"for {' and '.join(told[False])} use"
    return f"for {' and '.join(told[True])} use, to nobody abroad" if told[True] else "to nobody but their owners"


def _read(file: Path) -> Collection:
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigInvalid(f"{file} is too large to be a form")
        text = file.read_text(encoding="utf-8")
        told: Any = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except OSError as error:
        raise ConfigInvalid(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(f"{file} is neither TOML nor JSON: {error}") from None
    unknown = sorted(told.keys() - _known_keys()) if isinstance(told, dict) else []
    if unknown:
        raise ConfigInvalid(f"{file}: {unknown[0]}: unknown; known are {', '.join(sorted(_known_keys()))}")
    try:
        return validate(Collection, told)
    except InvalidRequest as error:
        raise ConfigInvalid(f"{file}: {error.message}") from None


def _known_keys() -> set[str]:
    return {field.alias or name for name, field in Collection.model_fields.items()}
