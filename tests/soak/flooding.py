"""Ten thousand matches for one clinician at once: one digest an hour at most, and the event loop stands still for nobody.

The node's own loops run over a real store, index and maildir; its clock is moved on by hours, how late the loop is
is measured by the real one.
"""

import asyncio
import gc
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from matchmaker.exchange.assembly import open_exchange, open_store
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.policy.news import Addressee, Sighting
from matchmaker.records.alert import MailState
from matchmaker.records.match import Match, Other, Side, match_id
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Draft
from tests.clock import HOUR, Clock
from tests.samples import patient_json

ANA = "ana@dublin.example"
_PUBLIC_ID = "ab" * 16
_BATCH = 100  # matches that one search finds at most
_TICK_SECONDS = 0.002
_HOURS = 3


@dataclass
class Flooded:
    """How many matches came and stood in how many digests; the most digests within an hour; the loop's longest stop."""

    matches: int = 0
    told: int = 0
    digests: int = 0
    most_an_hour: int = 0
    longest_ms: float = 0.0


async def flood(folder: Path, matches: int, knowledge: Knowledge | None = None) -> Flooded:
    """Record so many matches at once, half as many again in each of the hours after, and look at the mails."""
    clock, made = Clock(), Flooded()
    dotted = {
        "storage.data_dir": folder / "flood",
        "ontology.cache_dir": user_cache_dir(),
        "searches.on_deposit": False,
    }
    config = load_config(None, {**dotted, "alerts.gather_seconds": 5}, {})
    store = await open_store(config)
    draft = Draft("dublin", "martin", _PUBLIC_ID, Sharing(Circle.ALL), Patient.model_validate(patient_json("martin")))
    await store.deposit([draft], clock.now)
    async with open_exchange(config, clock.world, knowledge, 0.05):
        await asyncio.sleep(0.5)
        gc.collect()
        gc.freeze()  # as a served node does: what was read at the start is not looked through again and again
        watching = asyncio.create_task(_watch(made))
        for hour in range(_HOURS):
            count = matches if hour == 0 else matches // 2
            for begin in range(made.matches, made.matches + count, _BATCH):
                found = [
                    sighting(_PUBLIC_ID, begin + n, clock.now) for n in range(min(_BATCH, made.matches + count - begin))
                ]
                await store.record(found)
                await asyncio.sleep(0)  # as between the searches that find them
            made.matches += count
            for _ in range(6):
                clock.now += HOUR / 6
                await asyncio.sleep(0.3)
        watching.cancel()
        gc.unfreeze()
    mails = await store.mails([MailState.SENT], 1_000)
    made.digests, made.told = len(mails), sum(mail.alerts for mail in mails)
    made.most_an_hour = _most_within_an_hour([mail.created_at for mail in mails])
    await store.close()
    return made


def _most_within_an_hour(times: list[float]) -> int:
    within = Counter({at: sum(at <= other < at + HOUR for other in times) for at in times})
    return max(within.values(), default=0)


async def _watch(made: Flooded) -> None:
    """Note for how long the event loop stands still at most."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(_TICK_SECONDS)
        late = (time.perf_counter() - begun - _TICK_SECONDS) * 1_000
        made.longest_ms = max(made.longest_ms, round(late, 1))


def sighting(case: str, number: int, now: float) -> Sighting:
    """Return a match of a case of the clinician with another one of Spain."""
    other = f"{number:08}"
    match = Match(
        id=match_id("spain", case, other),
        node="spain",
        sides=(Side(case=case, owner="dublin", person=ANA, version=1),),
        other=Other(id=other, contact={"name": "Dra García", "href": "mailto:garcia@madrid.example"}),
        score=0.9,
        was_asked=True,
        first_seen=now,
        last_seen=now,
        changed_at=now,
    )
    return Sighting(match, (Addressee(ANA, case),))
