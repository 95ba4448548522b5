"""Files -> the store: every good record kept, every bad one told, in transactions of a few hundred."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matchmaker.exchange.batches import batches
from matchmaker.exchange.depositing import loosened
from matchmaker.exchange.world import World
from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.intake.records import RecordFile
from matchmaker.mme.errors import Problem
from matchmaker.records.sharing import Sharing
from matchmaker.store.base import Deposit, Draft, Outcome, Store

_BATCH = 500
_PAUSE_SECONDS = 0.02  # in which a node that runs beside may write: SQLite lets nobody queue


@dataclass
class Loaded:
    """What became of the records: how many new, changed, unchanged; `bad` ones were reported and not stored."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    bad: int = 0
    seen: set[str] = field(default_factory=set)
    loosened: Counter[str] = field(default_factory=Counter)  # how many cases were protected more before, and how

    @property
    def kept(self) -> int:
        """Return how many good records the store now holds."""
        return sum(self.outcomes.values())


@dataclass(frozen=True)
class Telling:
    """Who is told what: `progress` the bytes read of all files, `bad` each record refused, `note` what was left out."""

    progress: Callable[[int], None]
    bad: Callable[[Rejected], None]
    note: Callable[[str], None]


@dataclass(frozen=True)
class Also:
    """What goes with each case that is loaded: kinds of work to queue, and its owner among the people."""

    work: tuple[str, ...] = ()
    person: str | None = None


async def load_files(
    store: Store,
    reading: Reading,
    files: Sequence[RecordFile],
    owner: str,
    sharing: Sharing,
    world: World,
    tell: Telling,
    also: Also = Also(),
) -> Loaded:
    """Load every file. `also` goes with each case. Errors: those of the store; a bad record is none."""
    loaded = Loaded()
    done = 0
    for file in files:
        for batch in batches(reading.patients(file), _BATCH):
            await _keep(store, batch, owner, sharing, world, tell, loaded, also)
            tell.progress(done + file.done)
            await asyncio.sleep(_PAUSE_SECONDS)
        done += file.size
    return loaded


async def _keep(
    store: Store,
    batch: list[Taken | Rejected],
    owner: str,
    sharing: Sharing,
    world: World,
    tell: Telling,
    loaded: Loaded,
    also: Also,
) -> None:
    taken = [record for record in batch if isinstance(record, Taken)]
    drafts = [
        Draft(owner, record.patient.id, world.new_id(), sharing, record.patient, also.work, also.person)
        for record in taken
    ]
    deposits = await store.deposit(drafts, world.now()) if drafts else []
    refused = [record for record in batch if isinstance(record, Rejected)]
    for record, deposit in zip(taken, deposits, strict=True):
        if deposit.outcome is Outcome.WITHDRAWN:
            problem = Problem("id", "this case was withdrawn; its id is never used again")
            refused.append(Rejected(record.file, record.position, (problem,)))
            continue
        loaded.outcomes[deposit.outcome] += 1
        loaded.loosened.update(loosened(deposit.before, deposit.case.sharing))
        for note in (*record.notes, *_repeated(record, deposit, loaded)):
            tell.note(": ".join(part for part in (str(record.file), record.position, note) if part))
    for rejected in refused:
        loaded.bad += 1
        tell.bad(rejected)


def _repeated(record: Taken, deposit: Deposit, loaded: Loaded) -> tuple[str, ...]:
    """Say so when one load holds the same id twice, with another content: the later one is kept."""
    twice = record.patient.id in loaded.seen and deposit.outcome is Outcome.CHANGED
    loaded.seen.add(record.patient.id)
    return ("the id stands in this load before, with another content; this one is kept",) if twice else ()


def record_files(paths: Iterable[Path]) -> list[RecordFile]:
    """Return the files of `paths`; of a folder, all that lie in it by name."""
    files: list[RecordFile] = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        files += [RecordFile(file) for file in inside]
    return files
