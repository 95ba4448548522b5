"""Every figure of alerts and searches, whole: `make soak`. Scaled down they are tests/federation/test_alerting.py.

python -m tests.soak.alerting [--matches N] [--kills N] [--flood N] [--bad N] [--healthy N]
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.delivering import deliver
from tests.soak.flooding import flood
from tests.soak.many_peers import search_among
from tests.soak.saying import Said, Say

MOST_REPEATED = 0.005
LONGEST_STOP_MS = 50.0
GROWN_MIB = 64.0
OVER_DEADLINE_SECONDS = 0.5


async def run(matches: int, kills: int, flooded: int, bad: int, healthy: int, say: Say) -> None:
    """Measure everything, and `say` each figure, what is promised, and whether it holds."""
    with tempfile.TemporaryDirectory(prefix="matchmaker-soak-") as name:
        folder = Path(name)
        searched = await search_among(folder, bad, healthy, 10.0)
        most = searched.deadline_seconds + OVER_DEADLINE_SECONDS
        told = f"{searched.seconds} s, {searched.answered} of {healthy} healthy answers, wrong: {searched.wrong}, "
        told += f"memory grew by {searched.grown_mib} MiB, {searched.tasks_left} tasks left, {dict(searched.statuses)}"
        holds = searched.seconds <= most and searched.answered == healthy and not searched.wrong
        holds = holds and searched.grown_mib < GROWN_MIB and not searched.tasks_left
        say(f"a search among {searched.peers} peers, of which {bad} misbehave, ends within {most:g} s", told, holds)
        made = await flood(folder, flooded)
        told = f"{made.digests} digests, {made.most_an_hour} within an hour, {made.told} of {made.matches} matches told"
        holds = made.most_an_hour == 1 and made.told == made.matches
        say(f"{flooded:,} matches for one clinician at once are one digest an hour at most", told, holds)
        told = f"at most {made.longest_ms} ms"
        say(f"the loop is never blocked over {LONGEST_STOP_MS:g} ms by them", told, made.longest_ms <= LONGEST_STOP_MS)
        got = await deliver(folder, matches, kills, 1, matches / 250)
        told = f"{got.lost} of {got.alerts} alerts lost, {got.twice} twice in the inbox of {got.matches}, in {got.seconds} s"
        holds = not got.lost and not got.twice and got.alerts == got.matches == matches
        say(f"{matches:,} matches with {kills} kills: none is lost, each is in the inbox once", told, holds)
        share = got.repeated / max(1, got.mails)
        told = f"{got.repeated} of {got.mails} ({100 * share:.2f} %), {got.other_ids} with another Message-ID"
        say(
            "repeated mails at most 0.5 %, with the same Message-ID", told, share <= MOST_REPEATED and not got.other_ids
        )
        say(f"{got.mails:,} mails hold none of what they came of", f"{len(got.told)} found", not got.told)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="Every figure of alerts and searches.")
    options.add_argument("--matches", type=int, default=10_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--flood", type=int, default=10_000)
    options.add_argument("--bad", type=int, default=21)
    options.add_argument("--healthy", type=int, default=6)
    chosen = options.parse_args()
    said = Said()
    asyncio.run(run(chosen.matches, chosen.kills, chosen.flood, chosen.bad, chosen.healthy, said))
    sys.exit(bool(said.failed))


if __name__ == "__main__":
    main()
