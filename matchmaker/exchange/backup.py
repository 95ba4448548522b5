"""A node's whole store in one file: made while the node runs, restored less what was withdrawn since.

As of one revision. Lines of JSON, compressed with gzip: a head, the entries of the store's export (store/entries.py),
and an end that says how many there are of each kind and their SHA-256. A file that is cut or changed is refused before
anything is touched. It holds health data and the hashes of tokens: mode 600, to be encrypted where it leaves the node.
"""

import asyncio
import contextlib
import gzip
import json
import os
import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from matchmaker import __version__
from matchmaker.exchange.batches import batches
from matchmaker.exchange.withdrawals import Withdrawal
from matchmaker.ontology.files import sync_directory
from matchmaker.records.audit import Action
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Match
from matchmaker.store.base import Store, StoreBusy, StoreHasOthers
from matchmaker.store.deciding import of_withdrawn
from matchmaker.store.entries import KINDS, Digest, Entry, brought_up_to_date, line_of

FORMAT = 2
_FORMER = 1  # whose entries are brought up to date while they are read
_MARK = "matchmaker-backup"
_BATCH = 2_000
_LEVEL = 3  # half the time of gzip's own 9, for a few percent more bytes

Contents = dict[str, dict[str, Any]]  # of each kind that occurs: count, sha256
Progress = Callable[[int], None]  # is told how many cases are done


class BackupUnusable(Exception):
    """The file cannot be written, or is no whole backup. The message says which, and what to do."""


@dataclass(frozen=True)
class Told:
    """What a backup or copy holds: as of which revision of the cases, and how much of each kind."""

    revision: int
    contents: Contents


async def contents_of(entries: AsyncGenerator[list[Entry]], progress: Progress = lambda _done: None) -> Told:
    """Add up an export, whole."""
    counting = _Counting(progress)
    async for _ in counting.through(entries):
        pass
    return counting.told()


class _Counting:
    """Adds up the entries that go through it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._digest = Digest()
        self._revision = 0

    async def through(self, entries: AsyncGenerator[list[Entry]]) -> AsyncGenerator[list[Entry]]:
        async with contextlib.aclosing(entries):
            async for batch in entries:
                if batch[0][0] == "facts":
                    self._revision = batch[0][1][1]
                await asyncio.to_thread(self._digest.add, batch)
                self._progress(self._digest.counts["case"])
                yield batch

    def told(self) -> Told:
        return Told(self._revision, self._digest.told())


async def write_backup(store: Store, file: Path, made_at: str, progress: Progress) -> Told:
    """Back a store up into a new file, on disk when this returns. Errors: BackupUnusable; those of the store."""
    try:
        with _new_file(file) as raw:
            return await write_backup_to(store, raw, made_at, progress)
    except OSError as error:
        raise BackupUnusable(f"{file} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _new_file(file: Path) -> Iterator[IO[bytes]]:
    """Yield a file that stands under its name, whole and on disk, when the block has ended well."""
    if file.exists():
        raise BackupUnusable(f"{file} exists already; choose another name")
    part = file.with_name(f".{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(file)
        sync_directory(file.parent)
    finally:
        part.unlink(missing_ok=True)


async def write_backup_to(store: Store, raw: IO[bytes], made_at: str, progress: Progress) -> Told:
    """Back a store up into an open file. Errors: OSError; those of the store."""
    counting = _Counting(progress)
    with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as out:
        out.write(_line({_MARK: FORMAT, "version": __version__, "made_at": made_at}))
        async for batch in counting.through(store.export()):
            await asyncio.to_thread(out.writelines, map(line_of, batch))
        told = counting.told()
        out.write(_line({"end": told.contents}))
    return told


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def read_backup(file: Path) -> Iterator[Entry]:
    """Yield the entries of a backup. Errors: BackupUnusable, at its end at the latest, when it is not whole."""
    yield from brought_up_to_date(_read_as_written(file))


def _read_as_written(file: Path) -> Iterator[Entry]:
    digest = Digest()
    try:
        with gzip.open(file, "rb") as lines:
            head = json.loads(next(lines, b"{}"))
            if not isinstance(head, dict) or head.get(_MARK) not in {_FORMER, FORMAT}:
                raise BackupUnusable(f"{file} is no backup, or one of a newer version of matchmaker")
            end = None
            for line in lines:
                read = json.loads(line)
                if isinstance(read, dict):
                    end = read.get("end")
                    break
                digest.add([(read[0], read[1])])
                yield read[0], read[1]
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise BackupUnusable(f"{file} cannot be read: {reason}") from None
    except (EOFError, ValueError, IndexError, KeyError, TypeError, zlib.error):
        raise BackupUnusable(f"{file} is damaged; use another backup") from None
    if end != digest.told():
        raise BackupUnusable(f"{file} is not whole; use another backup")


@dataclass(frozen=True)
class Restored:
    """What a store holds after a restore; how many withdrawals and revocations made since the backup were applied."""

    told: Told
    withdrawn: int
    revoked: int


@dataclass
class _Plan:
    """What of that which was done since a backup concerns it: cases withdrawn, tokens (by digest) revoked."""

    revision: int
    applied: list[tuple[Withdrawal, list[Any]]]  # and the case as it was
    revoked: set[str]
    now: float


async def restore(
    store: Store,
    file: Path,
    withdrawals: Callable[[], Awaitable[Iterable[Withdrawal]]],
    now: float,
    *,
    replace: bool,
    progress: Progress,
) -> Restored:
    """Fill a store with a backup, less what was withdrawn since; it is read back and compared before it counts.

    `withdrawals` is asked when nobody else can write any more. A token that the store knows as revoked, or not at all,
    is revoked. Errors: BackupUnusable; StoreHasOthers; those of the store.
    """
    plans: list[_Plan] = []

    async def entries() -> AsyncGenerator[list[Entry]]:
        known = {(one.owner, one.id): one for one in await withdrawals()}
        valid = {client.token_sha256 for client in await store.clients() if client.revoked_at is None}
        plans.append(await asyncio.to_thread(_planned, file, known, valid, now))
        async for batch in _batched(_without_withdrawn(read_backup(file), plans[0])):
            yield batch

    counting = _Counting(progress)
    async with contextlib.aclosing(counting.through(entries())) as counted:
        await store.fill(counted, lambda read: check_contents(read, counting.told()), replace=replace)
    return Restored(counting.told(), len(plans[0].applied), len(plans[0].revoked))


async def check_contents(read: AsyncGenerator[list[Entry]], told: Told) -> None:
    """Compare what is read back with what was written. Errors: BackupUnusable."""
    found = await contents_of(read)
    if found.contents != told.contents:
        kinds = sorted(kind for kind in KINDS if found.contents.get(kind) != told.contents.get(kind))
        raise BackupUnusable(
            f"what was written is not what is read back ({', '.join(kinds)}): it is not opened; do it again"
        )


def _planned(file: Path, withdrawals: dict[tuple[str, str], Withdrawal], valid: set[str], now: float) -> _Plan:
    """Read a whole backup, before anything is touched."""
    revision, left, applied = 0, dict(withdrawals), list[tuple[Withdrawal, list[Any]]]()
    revoked: set[str] = set()
    for kind, values in read_backup(file):
        if kind == "facts":
            revision = values[1]
        elif kind == "case" and (withdrawal := left.pop((values[0], values[1]), None)) and values[4] is not None:
            applied.append((withdrawal, values))
        elif kind == "client" and valid and values[2] not in valid and values[6] is None:
            revoked.add(values[2])
    for withdrawal in left.values():  # deposited since, and withdrawn: the id is never used again
        case = [withdrawal.owner, withdrawal.id, withdrawal.public_id, "none", None, withdrawal.at, withdrawal.at, 0]
        applied.append((withdrawal, case))
    return _Plan(revision, sorted(applied, key=lambda one: (one[0].at, one[0].owner, one[0].id)), revoked, now)


def _without_withdrawn(entries: Iterable[Entry], plan: _Plan) -> Iterator[Entry]:
    """Yield entries with withdrawn cases erased, as if they had been withdrawn after the last revision."""
    gone = {(one.owner, one.id) for one, _ in plan.applied}
    of_them = _OfCases({case[2] for _, case in plan.applied})
    added: defaultdict[str, list[Entry]] = defaultdict(list)
    for revision, (one, case) in enumerate(plan.applied, plan.revision + 1):
        added["case"].append(("case", [*case[:4], None, case[5], one.at, revision, None, None]))
        added["audit"].append(("audit", [revision, one.at, one.owner, Action.WITHDRAWN.value, case[2]]))
    waiting = list(KINDS)
    for kind, values in entries:
        while waiting[0] != kind:
            yield from added.pop(waiting.pop(0), ())
        if kind == "facts":
            yield kind, [values[0], values[1] + len(plan.applied), *values[2:]]
        elif kind == "client" and values[2] in plan.revoked:
            yield kind, [*values[:6], plan.now, *values[7:]]
        elif not (kind == "case" and (values[0], values[1]) in gone) and not of_them.has(kind, values):
            yield kind, values
        elif kind == "inquiry" and (kept := of_withdrawn(Inquiry.parse(values[2]))).asked_at is not None:
            yield kind, [*values[:2], kept.to_text()]
    for kind in waiting:
        yield from added.pop(kind, ())


class _OfCases:
    """Tells which entries are about cases that are gone: their work, matches, alerts, and what came of asking."""

    def __init__(self, public_ids: set[str]) -> None:
        self._gone = public_ids
        self._matches: set[str] = set()

    def has(self, kind: str, values: list[Any]) -> bool:
        """Tell whether an entry is about one of the cases. Matches come before their alerts."""
        if kind == "match" and any(side.case in self._gone for side in Match.parse(values[1]).sides):
            self._matches.add(values[0])
        subject = {"work": 1, "match": 0, "alert": 0, "inquiry": 0, "choices": 0}.get(kind)
        return subject is not None and str(values[subject]).partition(" ")[0] in self._gone | self._matches


async def _batched(entries: Iterator[Entry]) -> AsyncIterator[list[Entry]]:
    for batch in batches(entries, _BATCH):
        yield batch
        await asyncio.sleep(0)


async def withdrawn_in(store: Store) -> list[Withdrawal]:
    """Return what was withdrawn from a store."""
    found: list[Withdrawal] = []
    async for batch in store.export():
        found += [
            Withdrawal(values[0], values[1], values[2], values[6])
            for kind, values in batch
            if kind == "case" and values[4] is None
        ]
    return found


async def copy(source: Store, target: Store, progress: Progress) -> Told:
    """Make a store a copy of another, and compare counts and hashes. May be repeated.

    Errors: StoreHasOthers, when the target holds anything else or was written to; BackupUnusable, when what is read
    back differs; those of the stores.
    """
    if (await source.revisions()).epoch == await _epoch(target):
        raise StoreHasOthers("it is the source itself; choose another store")
    counting = _Counting(progress)
    async with contextlib.aclosing(counting.through(source.export())) as entries:
        await target.fill(entries, lambda read: check_contents(read, counting.told()))
    return counting.told()


async def _epoch(store: Store) -> str | None:
    """Return what no other store has; None while it is being filled."""
    try:
        return (await store.revisions()).epoch
    except StoreBusy:
        return None
