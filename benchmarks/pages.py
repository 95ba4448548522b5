"""Print how long a served node takes for each page, for a clinician and for a curator of all its cases.

    python -m benchmarks.pages [--cases N] [--times N] [--json]

The node is loaded with published cases, some of them again and again with changed terms; five hundred are a clinician's
own, and of a hundred of these the matches are remembered. Pages are asked for one after another by one browser, with
other cases and matches each time. Times are from the request to the last byte, in ms; the browser's own are not in it.
`terms` is a search as it is typed, letter by letter, in Spanish.
"""

import argparse
import asyncio
import gzip
import json
import platform
import random
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from aiohttp import ClientSession, CookieJar

from benchmarks.http.__main__ import SETTINGS, run, served, some_cases
from benchmarks.quality.task import DATA
from matchmaker.exchange.config import child_environment

OWN, SEARCHED = 500, 100
SEED = 13
INSTITUTION = "Hospital of Dublin"
CLINICIAN, CURATOR, OPERATOR = "ana@hospital.example", "cy@hospital.example", "op@hospital.example"
PASSWORD = "a password of the benchmark"  # noqa: S105 - of a node that lives for a minute
TYPED = ("microcefalia", "retraso motor", "convulsiones", "hipotonía", "espasticidad", "ataxia", "cardiopatía")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="How long pages take.")
    options.add_argument("--cases", type=int, default=100_000)
    options.add_argument("--times", type=int, default=200, help="of each page")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {chosen.cases} cases, data {DATA.name}")
    with tempfile.TemporaryDirectory() as folder:
        for row in asyncio.run(_measured(Path(folder), chosen.cases, chosen.times)):
            print(json.dumps(row) if chosen.json else "  ".join(f"{name} {value}" for name, value in row.items()))


async def _measured(folder: Path, count: int, times: int) -> list[dict[str, Any]]:
    environment = child_environment({**SETTINGS, "MATCHMAKER_SIGN_IN__PASSWORD_MEMORY_KIB": "64"})
    data = folder / "data"
    ours = ("--institution", INSTITUTION, "--data-dir", data)
    token = run(environment, "client", "add", "hospital", "--role", "depositor", *ours)
    for email, role in ((CLINICIAN, "clinician"), (CURATOR, "curator"), (OPERATOR, "operator")):
        told = ("--role", role, "--language", "es" if role == "clinician" else "en")
        run(environment, "user", "add", email, *told, *ours)
    rows = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    lines = list(some_cases(rows, count))
    for name, some, person in (("own", lines[:OWN], ("--person", CLINICIAN)), ("rest", lines[OWN:], ())):
        file = folder / f"{name}.jsonl"
        file.write_text("".join(some), encoding="utf-8")
        run(environment, "load", "--share", "all", "--owner", "hospital", *person, "--data-dir", data, file)
    invitations = {
        email: run(environment, "user", "invite", email, "--data-dir", data).rsplit("/", 1)[1]
        for email in (CLINICIAN, CURATOR, OPERATOR)
    }
    with served(data, environment) as url:
        await _wait(url)
        ids = [json.loads(line)["id"] for line in lines[:SEARCHED]]
        async with ClientSession(headers={"X-Auth-Token": token}) as session:
            for one in ids:
                async with session.post(f"{url}/api/cases/{quote(one, safe='')}/search") as response:
                    response.raise_for_status()
        return [row for email in invitations for row in await _of(url, email, invitations[email], times)]


async def _wait(url: str) -> None:
    async with ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/service-info"):
                    return
            except OSError:
                await asyncio.sleep(0.1)


async def _of(url: str, email: str, invitation: str, times: int) -> list[dict[str, Any]]:
    """Measure the pages of one person."""
    chance = random.Random(SEED)  # noqa: S311 - a draw to be repeated, not to be secret
    async with ClientSession(cookie_jar=CookieJar(unsafe=True), headers={"Origin": url}) as session:
        page = await _post(session, f"{url}/invitation/{invitation}", {"password": PASSWORD})
        csrf = _first(r'name="csrf" value="([0-9a-f]+)"', page)
        await _post(session, f"{url}/agreement", {"csrf": csrf})
        if email == OPERATOR:
            return [await _timed(session, url, email, path, partial(str, path), times) for path in _OPERATORS]
        listed = await _get(session, f"{url}/cases")
        cases = sorted(set(re.findall(r'href="/cases/([0-9a-f]{32})"', listed)))
        inbox = await _get(session, f"{url}/matches")
        matches = sorted(set(re.findall(r'href="/matches/([0-9a-f]{32})"', inbox)))
        after = _first(r'href="(/cases\?after=[^"]+)"', listed)
        prefixes = [word[:length] for word in TYPED for length in range(1, len(word) + 1)]
        await _get(session, f"{url}/terms?term=a")  # the search is opened by the first who types
        pages: dict[str, Callable[[], str]] = {
            "/cases": lambda: "/cases",
            "/cases?after": lambda: after.replace("&amp;", "&"),
            "/cases/{id}": lambda: f"/cases/{chance.choice(cases)}",
            "/cases/{id}/progress": lambda: f"/cases/{chance.choice(cases)}/progress",
            "/cases/{id}/edit": lambda: f"/cases/{chance.choice(cases)}/edit",
            "/cases/{id}/preview": lambda: f"/cases/{chance.choice(cases)}/preview",
            "/cases/{id}/shared": lambda: f"/cases/{chance.choice(cases)}/shared",
            "/cases/new": lambda: "/cases/new",
            "/matches": lambda: "/matches",
            "/matches?gene": lambda: "/matches?gene=BCKDK&min_score=0.1",
            **({"/matches/{id}": lambda: f"/matches/{chance.choice(matches)}"} if matches else {}),
            "/shared": lambda: "/shared",
            "/settings": lambda: "/settings",
            "terms": lambda: f"/terms?term={quote(chance.choice(prefixes))}",
            "genes": lambda: f"/genes?gene_typed={chance.choice(['B', 'BC', 'BCK', 'TT', 'SCN', 'MEC'])}",
        }
        return [await _timed(session, url, email, name, path, times) for name, path in pages.items()]


_OPERATORS = ("/operators", "/operators/people", "/operators/mails", "/")


async def _timed(
    session: ClientSession, url: str, email: str, name: str, path: Callable[[], str], times: int
) -> dict[str, Any]:
    took = []
    for _ in range(times):
        wanted = path()
        started = time.perf_counter()
        await _get(session, url + wanted)
        took.append(1000 * (time.perf_counter() - started))
    p50, p95, most = np.percentile(took, [50, 95, 100])
    told = {"p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1), "max_ms": round(float(most), 1)}
    return {"who": email.split("@", maxsplit=1)[0], "page": name, **told}


async def _get(session: ClientSession, url: str) -> str:
    async with session.get(url) as response:
        response.raise_for_status()
        return await response.text()


async def _post(session: ClientSession, url: str, fields: dict[str, str]) -> str:
    async with session.post(url, data=fields) as response:
        response.raise_for_status()
        return await response.text()


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


if __name__ == "__main__":
    main()
