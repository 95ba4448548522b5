"""Can a denied case be told from an absent one? Ask two nodes that differ in denied cases only, and try to tell them.

Each trial asks both nodes, in an order by chance, about a patient whose double one of them keeps and does not tell of.
Whoever guesses has the answer's bytes and its time; the area under the curve of either is 0.5 for mere guessing.
"""

import json
import random
import time
from dataclasses import dataclass

import numpy as np
from aiohttp import ClientSession

from matchmaker.mme.media import media_type

Floats = list[float]


@dataclass(frozen=True)
class ToldApart:
    """Of so many trials: areas under the curve of the answer's length and of its time; answers that differed."""

    trials: int
    by_length: float
    by_time: float
    differing: int


def area(ones: Floats, others: Floats) -> float:
    """Return the chance that one of `ones` is greater than one of `others`, ties counting half (Mann and Whitney)."""
    both = np.array([*ones, *others])
    order = both.argsort(kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both):
        same = both == value
        ranks[same] = ranks[same].mean()
    return float((ranks[: len(ones)].sum() - len(ones) * (len(ones) + 1) / 2) / (len(ones) * len(others)))


@dataclass
class Trials:
    """What was seen of the answers: of the node that denies, and of the one that lacks."""

    lengths: tuple[Floats, Floats]
    times: tuple[Floats, Floats]
    differing: int = 0

    @classmethod
    def none(cls) -> "Trials":
        """Return none."""
        return cls(([], []), ([], []))

    def figures(self) -> ToldApart:
        """Return what they come to."""
        return ToldApart(len(self.times[0]), area(*self.lengths), area(*self.times), self.differing)


async def ask_both(
    denying: str, lacking: str, asker: dict[str, str], questions: list[bytes], count: int, seen: Trials, seed: int
) -> None:
    """Ask the node that denies and the one that lacks, so many times each, in an order by chance."""
    spoken, chance = media_type("1.0"), random.Random(seed)  # noqa: S311 - a draw to be repeated, not to be secret
    headers = {**asker, "Content-Type": spoken, "Accept": spoken}
    async with ClientSession(headers=headers) as session:
        for trial in range(-20, count):  # the first ones warm both up
            body = questions[trial % len(questions)]
            answers = ["", ""]
            for place in chance.sample([0, 1], 2):
                started = time.perf_counter()
                async with session.post(f"{(denying, lacking)[place]}/match", data=body) as response:
                    status, content = response.status, await response.read()
                elapsed = time.perf_counter() - started
                answer = json.loads(content)
                for result in answer["results"]:
                    result["patient"]["id"] = "by chance, and of one length"
                answers[place] = f"{status} {answer}"
                if trial >= 0:
                    seen.times[place].append(elapsed)
                    seen.lengths[place].append(len(answers[place]))
            seen.differing += trial >= 0 and answers[0] != answers[1]
