"""Every case scored alone: what the index is held to. Shares no code with it but the score's own formulas."""

from array import array
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.compiled import compiled
from matchmaker.matching.genotype import evidence
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import combined
from matchmaker.ontology.information import SCALE


@compiled
def _raw(
    implied: NDArray[np.int64],
    stated: NDArray[np.int64],
    own: int,
    closures: NDArray[np.uint16],
    closure_start: NDArray[np.int64],
    observed: NDArray[np.uint16],
    observed_start: NDArray[np.int64],
    information: NDArray[np.int64],
) -> NDArray[np.float64]:
    raw = np.zeros(len(information))
    for case in range(len(information)):
        shared = 0
        for at in range(closure_start[case], closure_start[case + 1]):
            shared += implied[closures[at]]
        for at in range(observed_start[case], observed_start[case + 1]):
            shared += stated[observed[at]]
        if shared:
            mine, theirs = max(own, shared) / SCALE, max(information[case], shared) / SCALE
            raw[case] = (shared / SCALE) / (mine**EXPONENT * theirs**EXPONENT)
    return raw


class EveryCaseAlone:
    """The cases, in order of their keys, which are their numbers from 0."""

    def __init__(self, cases: Iterable[Profile], knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        closures, observed = array("H"), array("H")
        closure_start, observed_start, information = array("q", [0]), array("q", [0]), array("q")
        self._listed: list[Profile] = []
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        for number, case in enumerate(cases):
            closures.extend(case.closure)
            observed.extend(case.observed)
            closure_start.append(len(closures))
            observed_start.append(len(observed))
            information.append(case.self_information)
            for name in (*case.genes, *case.disorders):
                self._by_name[name].append(number)
            self._listed.append(
                Profile(genes=case.genes, disorders=case.disorders, inheritance=case.inheritance, onset=case.onset)
            )
        self._arrays = tuple(map(np.array, (closures, closure_start, observed, observed_start, information)))

    def best(self, query: Profile, k: int, eligible: NDArray[np.bool_]) -> list[tuple[int, float]]:
        """Return (key, score) of the best k eligible cases, by score, then key."""
        link, content = (
            np.array(weights) for weights in (self._knowledge.information.link, self._knowledge.information.content)
        )
        implied, stated = np.zeros_like(link), np.zeros_like(content)
        closure, observed = sorted(query.closure), sorted(query.observed)
        implied[closure] = link[closure]
        implied[observed] += content[observed]
        stated[closure] = content[closure]
        raw = _raw(implied, stated, query.self_information, *self._arrays)
        factor = np.ones(len(raw))
        for number in {n for name in (*query.genes, *query.disorders) for n in self._by_name.get(name, ())}:
            factor[number] = evidence(query, self._listed[number]).factor
        values = np.where(eligible, combined(self._knowledge.calibration.shares(raw), factor), 0.0)
        worst = np.partition(values, len(values) - k)[len(values) - k] if k < len(values) else 0.0
        found = np.flatnonzero((values >= worst) & (values > 0))
        order = found[np.lexsort((found, -values[found]))][:k]
        return [(int(number), float(values[number])) for number in order]
