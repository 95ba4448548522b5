"""Kill a node again and again while it is written to; whatever it acknowledged must be there, or gone, for ever.

python -m tests.soak.crash [ROUNDS]
"""

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import ClientError, ClientSession

from tests.samples import patient_json

WRITERS = 6
STARTED_SECONDS = 60.0
SEED = 1


@dataclass
class Acknowledged:
    """What the node said was done: cases stored, cases withdrawn; `unsure` were asked for and never answered."""

    stored: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)


def run(*arguments: object) -> str:
    command = [sys.executable, "-m", "matchmaker", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own program


async def started(session: ClientSession, url: str) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        try:
            async with session.get(f"{url}/service-info") as response:
                if response.ok:
                    return
        except ClientError:
            await asyncio.sleep(0.05)
    raise TimeoutError("the node did not start")


async def write(session: ClientSession, url: str, chance: random.Random, done: Acknowledged) -> None:
    """Deposit and withdraw until the node is gone."""
    while True:
        withdraw = chance.random() < 0.2 and bool(done.stored)
        case_id = chance.choice(sorted(done.stored)) if withdraw else f"case-{chance.getrandbits(60)}"
        done.stored.discard(case_id)
        done.unsure.add(case_id)
        try:
            if withdraw:
                async with session.delete(f"{url}/api/cases/{case_id}") as response:
                    assert response.status == 204, response.status
                done.withdrawn.add(case_id)
            else:
                body = {"patient": patient_json(case_id), "sharing": {"with": "all"}}
                async with session.put(f"{url}/api/cases/{case_id}", json=body) as response:
                    assert response.status == 201, response.status
                done.stored.add(case_id)
        except (ClientError, OSError):
            return
        done.unsure.discard(case_id)


async def kept(session: ClientSession, url: str) -> set[str]:
    found: set[str] = set()
    after = ""
    while True:
        async with session.get(f"{url}/api/cases", params={"limit": "1000", "after": after}) as response:
            page = await response.json()
        found |= {case["id"] for case in page["cases"]}
        if "next" not in page:
            return found
        after = page["next"]


async def crash(rounds: int, directory: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a draw to be repeated
    token = run("client", "add", "dublin", "--role", "depositor", "--data-dir", directory)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url, done = f"http://127.0.0.1:{port}", Acknowledged()
    command = [sys.executable, "-m", "matchmaker", "serve", "--data-dir", str(directory), "--port", str(port)]
    async with ClientSession(headers={"X-Auth-Token": token}) as session:
        for number in range(rounds + 1):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603 - our own program
            try:
                await started(session, url)
                found = await kept(session, url)
                assert done.stored <= found, f"lost: {done.stored - found}"
                assert not done.withdrawn & found, f"came back: {done.withdrawn & found}"
                assert found <= done.stored | done.unsure, "nobody deposited these"
                if number < rounds:
                    writers = [asyncio.create_task(write(session, url, chance, done)) for _ in range(WRITERS)]
                    await asyncio.sleep(chance.uniform(0.2, 2.0))
                    process.kill()
                    await asyncio.gather(*writers)
            finally:
                process.kill()
                process.wait()
            counts = {
                "round": number,
                "stored": len(found),
                "withdrawn": len(done.withdrawn),
                "unsure": len(done.unsure),
            }
            print(json.dumps(counts), flush=True)  # noqa: T201 - progress
    print(f"{rounds} crashes, nothing lost, nothing came back")  # noqa: T201 - the result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(crash(int(sys.argv[1]) if len(sys.argv) > 1 else 20, Path(folder) / "data"))
