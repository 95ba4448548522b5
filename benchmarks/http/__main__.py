"""Load a node with published cases, some of them again and again with changed terms, and ask it over HTTP.

    python -m benchmarks.http [--cases N] [--requests N] [--workers N] [--mongodb URI] [--json]

Prints the cases loaded a second, the seconds from start to the first answer, cold and warm, and for 1, 8 and 64
clients: requests a second, p50 and p99 in ms, and how long the small requests take that are sent beside (how long the
event loop keeps others waiting). The clients run in a process of their own, on the same machine.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientError, ClientSession

from benchmarks.quality.task import DATA
from matchmaker.exchange.config import child_environment, user_cache_dir
from matchmaker.mme.media import media_type

CLIENTS = (1, 8, 64)
QUERIES = 2_000  # all different, so that what a node keeps of earlier answers helps as little as in real life
TERMS = 10
SEED = 11
BESIDE_SECONDS = 0.02
SETTINGS = {
    "MATCHMAKER_SEARCHES__ON_DEPOSIT": "false",  # what is measured is answering
    "MATCHMAKER_ONTOLOGY__CACHE_DIR": str(user_cache_dir()),
    "MATCHMAKER_BUDGET__QUERIES_PER_MINUTE": "0",
    "MATCHMAKER_LOG__LEVEL": "WARNING",
}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="How many requests a node answers.")
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--requests", type=int, default=2_000)
    options.add_argument("--workers", type=int, default=1, help="processes that answer")
    options.add_argument("--mongodb", default="", metavar="URI", help="keep the cases there, in an empty database")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    settings = {**SETTINGS, "MATCHMAKER_SERVER__WORKERS": str(chosen.workers)}
    if chosen.mongodb:
        settings["MATCHMAKER_STORAGE__MONGODB"] = chosen.mongodb
    with tempfile.TemporaryDirectory() as folder:
        for row in asyncio.run(_measured(Path(folder), chosen.cases, chosen.requests, child_environment(settings))):
            print(json.dumps(row) if chosen.json else "  ".join(f"{name} {value}" for name, value in row.items()))


async def _measured(folder: Path, count: int, requests: int, environment: dict[str, str]) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    data, file = folder / "data", folder / "cases.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(some_cases(rows, count))
    started = time.perf_counter()
    run(environment, "load", "--share", "all", "--data-dir", data, file)
    measured: list[dict[str, Any]] = [{"cases": count, "load_per_s": round(count / (time.perf_counter() - started))}]
    agreed = ("--role", "node", "--per-month", "none")
    token = run(environment, "client", "add", "asker", *agreed, "--data-dir", data)
    with served(data, environment) as url:
        cold = await _first_answer(url)
    with served(data, environment) as url:
        measured.append({"cases": count, "cold_start_s": cold, "warm_start_s": await _first_answer(url)})
        queries = _queries(rows)
        for clients in CLIENTS:
            answered = await _load(url, token, queries, clients, requests)
            measured += [{"cases": count, "clients": clients, **answered}]
    return measured


def some_cases(rows: list[dict[str, Any]], count: int) -> Iterator[str]:
    """Yield phenopackets: the published ones, then copies that have lost some of their terms."""
    chance = random.Random(SEED)  # noqa: S311 - a draw to be repeated, not to be secret
    for number in range(count):
        row = rows[number % len(rows)]
        features = row.get("phenotypicFeatures", [])
        if number >= len(rows):
            features = [feature for feature in features if chance.random() < 0.7] or features  # noqa: PLR2004 - a third is lost
        yield json.dumps({**row, "id": f"{row['id']}-{number}", "phenotypicFeatures": features}) + "\n"


def _queries(rows: list[dict[str, Any]]) -> list[bytes]:
    chance = random.Random(SEED)  # noqa: S311 - as above
    pool = [row for row in rows if sum(not f.get("excluded") for f in row.get("phenotypicFeatures", [])) >= TERMS]
    contact = {"name": "benchmark", "href": "mailto:benchmark@node.example"}
    found = []
    for _ in range(QUERIES):
        row = chance.choice(pool)
        stated = [{"id": f["type"]["id"]} for f in row["phenotypicFeatures"] if not f.get("excluded")]
        shown = chance.sample(stated, TERMS)
        found.append(json.dumps({"patient": {"id": "query", "contact": contact, "features": shown}}).encode())
    return found


async def _load(url: str, token: str, queries: list[bytes], clients: int, requests: int) -> dict[str, Any]:
    spoken = media_type("1.0")
    headers = {"X-Auth-Token": token, "Content-Type": spoken, "Accept": spoken}
    waiting, took = iter(range(requests)), list[float]()
    async with ClientSession(headers=headers) as session:

        async def client() -> None:
            for number in waiting:
                started = time.perf_counter()
                async with session.post(f"{url}/match", data=queries[number % len(queries)]) as response:
                    await response.read()
                    response.raise_for_status()
                took.append(1000 * (time.perf_counter() - started))

        waits: list[float] = []
        beside = asyncio.create_task(_beside(session, url, waits))
        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        elapsed = time.perf_counter() - started
        beside.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beside
    p50, p99 = np.percentile(took, [50, 99])
    rates = {
        "requests_per_s": round(requests / elapsed, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
    }
    return {**rates, "beside_p50_ms": round(float(np.median(waits)), 1), "beside_max_ms": round(max(waits), 1)}


async def _beside(session: ClientSession, url: str, waits: list[float]) -> None:
    while True:
        started = time.perf_counter()
        async with session.get(f"{url}/service-info") as response:
            await response.read()
        waits.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(BESIDE_SECONDS)


@contextlib.contextmanager
def served(data: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve in a process of its own until the block ends; yield the URL."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "matchmaker", "serve", "--data-dir", str(data), "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _first_answer(url: str) -> float:
    started = time.perf_counter()
    async with ClientSession() as session:
        while True:
            with contextlib.suppress(ClientError):
                async with session.get(f"{url}/service-info") as response:
                    if response.ok:
                        return round(time.perf_counter() - started, 2)
            await asyncio.sleep(0.01)


def run(environment: dict[str, str], *arguments: object) -> str:
    """Run a command of ours; return what it printed."""
    command = [sys.executable, "-m", "matchmaker", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own program


if __name__ == "__main__":
    main()
