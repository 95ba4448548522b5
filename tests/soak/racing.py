"""Withdraw a case while it is asked about again and again: nothing of it is told after the acknowledgement.

The moment of an answer is that in which its first byte arrives, read by a clock that the withdrawal's acknowledgement
is read by, too; bytes that were under way when the acknowledgement came are told apart by the ledger's own times.
"""

import asyncio
import json
from dataclasses import dataclass

from aiohttp import ClientSession

from matchmaker.mme.media import media_type
from tests.samples import patient_json

AT_ONCE = 50
FEATURES = [{"id": "HP:0000252"}, {"id": "HP:0001250"}, {"id": "HP:0001263"}]


@dataclass
class Raced:
    """How many questions were answered before and after the acknowledgement, and how many after it told of the case."""

    before: int = 0
    told_before: int = 0
    after: int = 0
    told_after: int = 0


async def race(url: str, owner: dict[str, str], asker: dict[str, str], questions: int) -> Raced:
    """Ask so many questions, AT_ONCE at a time; withdraw the case that they find when half of them are asked."""
    spoken = media_type("1.0")
    headers = {**asker, "Content-Type": spoken, "Accept": spoken}
    body = json.dumps({"patient": patient_json("q", features=FEATURES)}).encode()
    raced, clock = Raced(), asyncio.get_running_loop().time
    acknowledged: list[float] = []
    asked = 0
    async with ClientSession() as session:
        deposit = {"patient": patient_json("martin", features=FEATURES), "sharing": {"with": "all"}}
        async with session.put(f"{url}/api/cases/martin", json=deposit, headers=owner) as response:
            response.raise_for_status()

        async def one() -> None:
            nonlocal asked
            while asked < questions or not acknowledged:
                asked += 1
                async with session.post(f"{url}/match", data=body, headers=headers) as response:
                    arrived = clock()
                    told = bool((await response.json(content_type=None))["results"])
                if acknowledged and arrived > acknowledged[0]:
                    raced.after, raced.told_after = raced.after + 1, raced.told_after + told
                else:
                    raced.before, raced.told_before = raced.before + 1, raced.told_before + told

        async def withdraw() -> None:
            while asked < questions // 2:
                await asyncio.sleep(0.001)
            async with session.delete(f"{url}/api/cases/martin", headers=owner) as response:
                acknowledged.append(clock())
                response.raise_for_status()

        await asyncio.gather(withdraw(), *(one() for _ in range(AT_ONCE)))
    return raced
