"""A search among many peers of which most misbehave: it ends in time, and every healthy answer is in it.

The peers are real servers in a process of their own; the node's memory and tasks are looked at before and after.
"""

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from matchmaker.exchange.assembly import open_exchange, open_store
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.matching.profile import Knowledge
from matchmaker.records.party import Client, Peer, Role, token_digest
from matchmaker.web.serving import make_runner
from tests.peers.misbehaving import Vice, answer, drips, fake_peers, hangs, http, never_ends, result, says
from tests.samples import patient_json


async def resets(writer: asyncio.StreamWriter) -> None:
    """Break the connection off by a reset."""
    writer.transport.abort()


HUNDRED_MB = 100 * 1024 * 1024


async def hundred_megabytes(writer: asyncio.StreamWriter) -> None:
    """Answer with a hundred megabytes, announced as such."""
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {HUNDRED_MB}\r\n\r\n".encode() + b'{"results": [')
    for _ in range(HUNDRED_MB // 65_536):
        writer.write(b" " * 65_536)
        await writer.drain()


# Each vice, and the status that a search shows for it.
VICES: dict[str, tuple[Vice, str]] = {
    "hangs": (hangs, "timeout"),
    "drips": (drips, "timeout"),
    "resets": (resets, "unreachable"),
    "refuses": (says(http("401 Unauthorized", b"{}")), "refused"),
    "fails": (says(http("500 Internal Server Error")), "error"),
    "hundred-megabytes": (hundred_megabytes, "invalid"),
    "never-ends": (never_ends, "invalid"),
    "rubbish": (says(http("200 OK", b"\xff\xfe{]")), "invalid"),
    "no-http": (says(b"220 mail.example ESMTP\r\n"), "invalid"),
}
HEALTHY = says(answer(result(0.5), disclaimer="Careful."))


@dataclass
class Searched:
    """What came of one search. `wrong`: peers whose status is not the true one; `tasks_left` beyond those before."""

    peers: int = 0
    healthy: int = 0
    answered: int = 0
    seconds: float = 0.0
    deadline_seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    grown_mib: float = 0.0
    tasks_left: int = 0


def names(bad: int, healthy: int) -> dict[str, str]:
    """Return the peers by name, and the status that each is to have."""
    vices = itertools.cycle(VICES)
    made = {f"{vice}-{n}": VICES[vice][1] for n, vice in zip(range(bad), vices, strict=False)}
    return {**made, **{f"healthy-{n}": "answered" for n in range(healthy)}}


async def _serve(bad: int, healthy: int) -> None:
    """Serve all peers; print their addresses; end with standard input."""
    served = {
        name: VICES[name.rpartition("-")[0]][0] if "healthy" not in name else HEALTHY for name in names(bad, healthy)
    }
    async with fake_peers(served) as peers:
        sys.stdout.write(json.dumps({name: peer.url for name, peer in peers.items()}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@contextlib.asynccontextmanager
async def peers_apart(bad: int, healthy: int) -> AsyncIterator[dict[str, str]]:
    """Run the peers in a process of their own; yield their addresses by name."""
    command = [sys.executable, "-m", "tests.soak.many_peers", "--serve", str(bad), str(healthy)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def search_among(
    folder: Path, bad: int, healthy: int, deadline_seconds: float, knowledge: Knowledge | None = None
) -> Searched:
    """Search once among so many peers."""
    dotted = {
        "storage.data_dir": folder / "many",
        "ontology.cache_dir": user_cache_dir(),
        "peers.deadline_seconds": deadline_seconds,
        "searches.on_deposit": False,
    }
    config = load_config(None, dotted, {})
    made = Searched(bad + healthy, healthy, deadline_seconds=deadline_seconds)
    async with peers_apart(bad, healthy) as urls:
        await _introduce(config, urls)
        async with open_exchange(config, knowledge=knowledge) as exchange, ClientSession() as session:
            runner = make_runner(exchange, shutdown_seconds=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/cases/martin"
            headers = {"X-Auth-Token": "dublin"}
            body = {"patient": patient_json("martin"), "sharing": {"with": "all"}}
            async with session.put(url, json=body, headers=headers) as response:
                response.raise_for_status()
            await _search(made, session, url, headers, names(bad, healthy))
            await runner.cleanup()
    return made


async def _introduce(config: Any, urls: dict[str, str]) -> None:
    store = await open_store(config)
    await store.add_client(Client("dublin", Role.DEPOSITOR, token_digest("dublin")))
    token_file = config.storage.data_dir / "token"
    token_file.write_text("secret", encoding="utf-8")
    for name, url in urls.items():
        await store.add_peer(Peer(name, url, "ES", str(token_file)))
    await store.close()


async def _search(
    made: Searched, session: ClientSession, url: str, headers: dict[str, str], expected: dict[str, str]
) -> None:
    gc.collect()
    before, tasks = _resident_mib(), len(asyncio.all_tasks())
    peak = [before]
    watching = asyncio.create_task(_watch(peak))
    started = time.perf_counter()
    async with session.post(f"{url}/search", headers=headers) as response:
        found = await response.json()
    made.seconds = round(time.perf_counter() - started, 2)
    watching.cancel()
    await asyncio.sleep(0.5)
    made.tasks_left = max(0, len(asyncio.all_tasks()) - tasks)
    made.grown_mib = round(max(peak) - before, 1)
    reports = {one["node"]: one for one in found["nodes"]}
    made.statuses.update(reports[name]["status"] for name in expected)
    made.wrong = [
        f"{name}: {reports[name]['status']}" for name, status in expected.items() if reports[name]["status"] != status
    ]
    made.answered = len({one["node"] for one in found["results"]})


async def _watch(peak: list[float]) -> None:
    while True:
        peak.append(_resident_mib())
        await asyncio.sleep(0.02)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4_096 / 2**20


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Peers that misbehave, for a search among them.")
    options.add_argument("--serve", type=int, nargs=2, required=True)
    chosen = options.parse_args()
    asyncio.run(_serve(*chosen.serve))
