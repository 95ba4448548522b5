"""Kill a serving node again and again while it is written to: what it acknowledged is there, or gone, for ever.

    python -m tests.soak.crash [--rounds N] [--seconds S] [--seed N]

Each round deposits, changes and withdraws cases by many writers at once, kills the node with SIGKILL at a random
moment, starts it again and reads back what was touched; at the end everything is read back. Prints the figures.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession

from matchmaker.exchange.assembly import open_place
from matchmaker.exchange.config import load_config
from matchmaker.exchange.places import configured_place
from matchmaker.records.case import Case
from matchmaker.store.base import Store
from tests.samples import patient_json

WRITERS = 6
STARTED_SECONDS = 60.0
GONE = -1  # the state of a withdrawn case; other states are numbers of its content, 0 before it is there
OWNER = "dublin"


@dataclass
class Expected:
    """The states in which each case may be: one when the last answer was given, two while one is awaited."""

    states: dict[str, set[int]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    acknowledged: int = 0


@dataclass
class Figures:
    """What was measured."""

    rounds: int = 0
    acknowledged: int = 0
    cases: int = 0
    slowest_start_s: float = 0.0
    median_start_s: float = 0.0


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "matchmaker", *map(str, arguments)]


def content(case_id: str, number: int) -> dict[str, Any]:
    """A patient whose content tells its number, large enough that a half of it would be seen."""
    genes = [{"gene": {"id": f"GENE{number}-{part}"}} for part in range(12)]
    return patient_json(case_id, genomicFeatures=genes)


def number_of(case: Case | None, case_id: str) -> int:
    """Return the number of a stored case's content. Fails for a half one."""
    if case is None:
        return 0
    if case.patient is None:
        return GONE
    genes = [one.gene.id for one in case.patient.genomic_features or () if one.gene]
    number = int(genes[0].removeprefix("GENE").split("-")[0])
    assert genes == [f"GENE{number}-{part}" for part in range(12)], f"{case_id} is half stored"
    return number


async def started(session: ClientSession, url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the node ended by itself"
        try:
            async with session.get(f"{url}/service-info") as response:
                if response.ok:
                    return
        except (ClientError, OSError):
            await asyncio.sleep(0.01)
    raise TimeoutError("the node did not start")


async def write(session: ClientSession, url: str, chance: random.Random, expected: Expected, name: int) -> None:
    """Deposit, change and withdraw cases of one's own until the node is gone."""
    own = [
        case_id for case_id, states in expected.states.items() if case_id.startswith(f"{name}-") and len(states) == 1
    ]
    while True:
        known = chance.choice(own) if own and chance.random() < 0.4 else None
        case_id = known or f"{name}-{chance.getrandbits(60)}"
        (before,) = expected.states.get(case_id, {0})
        if before == GONE:
            own.remove(case_id)
            continue
        after = GONE if before and chance.random() < 0.3 else before + 1
        expected.states[case_id] = {before, after}
        expected.touched.add(case_id)
        try:
            await ask(session, f"{url}/api/cases/{case_id}", case_id, before, after)
        except (ClientError, OSError):
            return
        expected.states[case_id] = {after}
        expected.acknowledged += 1
        if known is None:
            own.append(case_id)


async def ask(session: ClientSession, url: str, case_id: str, before: int, after: int) -> None:
    if after == GONE:
        async with session.delete(url) as response:
            assert response.status == 204, response.status
    else:
        body = {"patient": content(case_id, after), "sharing": {"with": "all"}}
        async with session.put(url, json=body) as response:
            assert response.status == (200 if before else 201), response.status


async def check(store: Store, expected: Expected, ids: set[str]) -> None:
    """Compare cases with what was acknowledged, and settle what nobody had been told."""
    for case_id in sorted(ids):
        found = number_of(await store.case(OWNER, case_id), case_id)
        assert found in expected.states[case_id], f"{case_id}: acknowledged {expected.states[case_id]}, found {found}"
        expected.states[case_id] = {found}


async def check_audit(store: Store) -> None:
    """Every write of a case has its revision, gapless, and its line of the audit."""
    last, cases = 0, {}
    while lines := await store.audit(last, 5_000):
        assert [line.revision for line in lines] == list(range(last + 1, last + len(lines) + 1)), "a gap"
        cases.update({line.public_id: line.revision for line in lines})
        last = lines[-1].revision
    assert last == (await store.revisions()).cases
    kept = {case.public_id: case.revision async for batch in store.changes_since(-1) for case in batch}
    assert kept == cases, "a case without its line, or a line without its case"


async def crash(rounds: int, directory: Path, seconds: float, seed: int, environment: dict[str, str]) -> Figures:
    """Run all rounds. Fails at the first promise that is broken."""
    place = configured_place(load_config(None, {"storage.data_dir": directory}, environment).storage)
    chance = random.Random(seed)  # noqa: S311 - a draw to be repeated
    adding = command("client", "add", OWNER, "--role", "depositor", "--data-dir", directory)
    token = subprocess.run(adding, env=environment, capture_output=True, text=True, check=True).stdout.strip()  # noqa: ASYNC221, S603 - our own program
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url, expected, starts = f"http://127.0.0.1:{port}", Expected(), list[float]()
    serving = command("serve", "--data-dir", directory, "--port", port)
    async with ClientSession(headers={"X-Auth-Token": token}) as session:
        for round_ in range(rounds + 1):
            begun = time.monotonic()
            process = subprocess.Popen(serving, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - our own program
            try:
                await started(session, url, process)
                starts.append(time.monotonic() - begun)
                store = await open_place(place)
                await check(store, expected, expected.touched)
                if round_ == rounds:
                    await check(store, expected, set(expected.states))
                    await check_audit(store)
                await store.close()
                expected.touched.clear()
                if round_ < rounds:
                    writers = [asyncio.create_task(write(session, url, chance, expected, n)) for n in range(WRITERS)]
                    await asyncio.sleep(chance.uniform(0.05, 2 * seconds))
                    process.kill()
                    await asyncio.gather(*writers)
            finally:
                process.kill()
                process.wait()
    live = sum(states != {GONE} for states in expected.states.values())
    ordered = sorted(starts[1:])  # the first one makes what all others read
    return Figures(rounds, expected.acknowledged, live, round(max(ordered), 2), round(ordered[len(ordered) // 2], 2))


def main() -> None:
    """Run, and print the figures."""
    options = argparse.ArgumentParser(description="Kill a node while it is written to.")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--seconds", type=float, default=0.8, help="how long a node lives on average")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = crash(chosen.rounds, Path(folder) / "data", chosen.seconds, chosen.seed, dict(os.environ))
        figures = asyncio.run(made)
    print(json.dumps({**vars(figures), "lost": 0, "half_stored": 0}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
