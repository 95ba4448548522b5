"""Every figure of what may be told, whole: `python -m tests.soak.telling`, or `make soak`.

Prints each figure beside what is promised; the exit status is 1 where one does not hold.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from benchmarks.privacy.__main__ import measured
from matchmaker.exchange.assembly import open_exchange, open_store
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.web.serving import make_runner
from tests.samples import official_patients, patient_json
from tests.soak.damage import found_of
from tests.soak.racing import race
from tests.soak.saying import Said, Say
from tests.soak.telling_apart import ToldApart, Trials, ask_both

OWNER, SPAIN = {"X-Auth-Token": "dublin"}, {"X-Auth-Token": "spain"}
MOST_TOLD, LEAST_BY_PHENOTYPE, REPORT_SECONDS = 0.105, 0.60, 2.0


@contextlib.asynccontextmanager
async def node(folder: Path, name: str) -> AsyncIterator[str]:
    """Serve a node with an owner and a peer that may ask as much as it likes; yield its URL."""
    dotted = {"storage.data_dir": folder / name, "node.name": "ireland", "ontology.cache_dir": user_cache_dir()}
    config = load_config(None, {**dotted, "budget.queries_per_minute": 0}, {})
    store = await open_store(config)
    await store.add_client(Client("dublin", Role.DEPOSITOR, token_digest("dublin")))
    await store.add_client(replace(Client("spain", Role.NODE, token_digest("spain")), per_month=None))
    await store.close()
    async with open_exchange(config) as exchange:
        runner = make_runner(exchange, shutdown_seconds=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def put(session: ClientSession, url: str, patient: dict[str, Any], circle: str) -> None:
    """Deposit a case."""
    body = {"patient": patient, "sharing": {"with": circle}}
    async with session.put(f"{url}/api/cases/{patient['id']}", json=body, headers=OWNER) as response:
        response.raise_for_status()


async def denied_or_absent(folder: Path, trials: int, settled_seconds: float = 3.0) -> ToldApart:
    """Try to tell a denied case from an absent one; each of two nodes denies for half of the trials."""
    features = [{"id": f"HP:{number:07d}"} for number in (252, 1250, 1263, 729, 1270, 1249)]
    genes = [{"gene": {"id": gene}} for gene in ("BCKDK", "TTN", "MYH7")]
    doubles = [
        patient_json(f"double{n}", features=features[n % 3 :], genomicFeatures=genes[: n % 3 + 1]) for n in range(6)
    ]
    asked = [json.dumps({"patient": {**double, "id": "q"}}).encode() for double in doubles]
    seen = Trials.none()
    for turn in range(2):  # in the second the other one is started first
        names = [f"node-{turn}-{n}" for n in range(2)]
        async with node(folder, names[0]) as first, node(folder, names[1]) as second, ClientSession() as session:
            denying, lacking = (first, second) if turn else (second, first)
            for url in (first, second):
                for number, patient in enumerate(official_patients()):
                    await put(session, url, {**patient, "id": f"case{number}"}, "all" if number % 2 else "none")
            for double in doubles:
                await put(session, denying, double, "none")
            await asyncio.sleep(settled_seconds)  # snapshots are written meanwhile
            await ask_both(denying, lacking, SPAIN, asked, trials // 2, seen, turn)
    return seen.figures()


async def report_seconds(folder: Path, lines: int) -> tuple[float, int]:
    """Write so many lines about many cases; return how long a report on one of them takes, and its lines."""
    store = open_sqlite(folder)
    (deposit,) = await store.deposit([_draft()], 1.0)
    public, written = deposit.case.public_id, 0
    while written < lines:
        batch = [
            LedgerLine(
                float(n),
                Happened.TOLD,
                f"peer{n % 30}",
                public if n % 1_000 == 0 else f"case{n % 20_000}",
                "standard",
                "clinical",
            )
            for n in range(written, written + 10_000)
        ]
        await store.write_ledger(batch)
        written += len(batch)
    await store.close()
    command = [
        sys.executable,
        "-m",
        "matchmaker",
        "audit",
        "report",
        "dublin",
        "martin",
        "--json",
        "--data-dir",
        str(folder),
    ]
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return time.perf_counter() - started, len(json.loads(told)["disclosures"])


def _draft() -> Any:
    from tests.contract.test_store import draft  # noqa: PLC0415 - its fixtures are not needed for the rest

    return draft("martin")


async def run(trials: int, damages: int, lines: int, questions: int, cases: int, say: Say) -> None:
    """Measure everything, and `say` each figure, what is promised, and whether it holds."""
    with tempfile.TemporaryDirectory(prefix="matchmaker-soak-") as name:
        folder = Path(name)
        apart = await denied_or_absent(folder, trials)
        told = f"by length {apart.by_length:.3f}, by time {apart.by_time:.3f}, {apart.differing} answers differ"
        holds = apart.by_length == 0.5 and abs(apart.by_time - 0.5) <= 0.02 and not apart.differing
        say(
            f"a denied case is as an absent one: area under the curve .50 ± .02 over {apart.trials} trials", told, holds
        )
        (folder / "damage").mkdir()
        found, missed = await found_of(folder / "damage", damages, 1)
        say(f"audit verify finds each of {damages} random edits and removals", f"{found} found {missed}", not missed)
        seconds, reported = await report_seconds(folder / "million", lines)
        told = f"{seconds:.2f} s for {reported} disclosures, the program's start included"
        say(f"a report per patient in under 2 s at {lines:,} lines", told, seconds < REPORT_SECONDS and reported > 0)
        async with node(folder, "race") as url:
            raced = await race(url, OWNER, SPAIN, questions)
        told = f"{raced.told_before} of {raced.before} told before, {raced.told_after} of {raced.after} after"
        holds = not raced.told_after and raced.told_before > 0 and raced.after > 0
        say(f"nothing is told after a withdrawal against {questions} concurrent questions", told, holds)
    held, rows = await measured(cases, 20260625)
    for row in rows:
        told = f"{row.told} of {held} cases, {100 * row.share:.1f} %, {row.beyond} beyond their level"
        if row.recall is None:
            say(f"{row.who}: at most 10.5 %, nothing beyond a level", told, row.share <= MOST_TOLD and not row.beyond)
        else:
            least = 1.0 if row.who.endswith("with genes") else LEAST_BY_PHENOTYPE
            holds = round(row.recall, 2) >= least and not row.beyond  # chance may find two patients near-identical
            say(f"{row.who}: recall at least {least:.2f}", f"{row.recall:.3f}, {told}", holds)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="Every figure of what may be told.")
    options.add_argument("--trials", type=int, default=2_000)
    options.add_argument("--damages", type=int, default=1_000)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--questions", type=int, default=1_000)
    options.add_argument("--cases", type=int, default=2_000)
    chosen = options.parse_args()
    said = Said()
    asyncio.run(run(chosen.trials, chosen.damages, chosen.lines, chosen.questions, chosen.cases, said))
    sys.exit(bool(said.failed))


if __name__ == "__main__":
    main()
