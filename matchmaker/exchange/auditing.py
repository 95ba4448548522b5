"""Verifying the ledger: every chain from its first line that is kept to its last, hash by hash."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matchmaker.records.ledger import Chain, KeptLine, first_fault
from matchmaker.store.base import Store

Progress = Callable[[int], None]
Heads = Mapping[str, tuple[int, str]]  # of each chain: how many lines, and the last one's hash


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a chain: a line was changed, or lines are missing."""

    chain: str
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """How many lines stand in how many chains, and every fault."""

    lines: int
    chains: tuple[Chain, ...]
    faults: tuple[Fault, ...]


async def verify(store: Store, progress: Progress) -> Verified:
    """Verify the whole ledger. It may grow meanwhile: what is added is not looked at."""
    chains = await store.chains()
    faults: list[Fault] = []
    done = 0
    for chain in chains:
        found, seen = await _verify_chain(chain, store.chain_lines(chain.name), partial(_add, progress, done))
        done += seen
        faults += [Fault(chain.name, fault) for fault in found]
    known = {chain.name for chain in chains}
    faults += [Fault(name, "its head is missing") for name in await store.chain_names() if name not in known]
    return Verified(done, tuple(chains), tuple(faults))


def _add(progress: Progress, before: int, done: int) -> None:
    progress(before + done)


async def against(store: Store, chains: Sequence[Chain], heads: Heads) -> list[Fault]:
    """Return what is wrong with the ledger beside heads that were noted earlier, and kept elsewhere.

    Every chain noted is still there, as long as it was or longer, and its line that was the last then has the same
    hash: so that nobody who could write the whole store has taken out or written anew what was there.
    """
    known = {chain.name: chain for chain in chains}
    faults: list[Fault] = []
    for name, (lines, head) in sorted(heads.items()):
        chain = known.get(name)
        if chain is None or chain.lines < lines:
            faults.append(
                Fault(name, "it is shorter than it was noted to be" if chain else "it was noted, and is gone")
            )
        elif lines > chain.first and await store.hash_at(name, lines - 1) != head:
            faults.append(Fault(name, f"line {lines - 1} is not what was noted"))
    return faults


async def _verify_chain(
    chain: Chain, batches: AsyncIterator[list[KeptLine]], progress: Progress
) -> tuple[list[str], int]:
    """Return the faults of a chain, and how many lines were looked at. After a fault it goes on from there."""
    last: KeptLine | None = None
    faults: list[str] = []
    seen = 0
    async for batch in batches:
        for line in batch:
            if line.number >= chain.lines:
                break  # added since
            if fault := first_fault(chain, last, line):
                faults.append(fault)
            last, seen = line, seen + 1
        progress(seen)
    number, head = (last.number + 1, last.hash) if last else (chain.first, chain.base)
    if number < chain.lines:
        faults.append(f"lines {number} to {chain.lines - 1} are missing")
    elif head != chain.head:
        faults.append("its head was changed")
    return faults, seen
