"""What was tried to rank better than LSX, losers too: `python -m benchmarks.quality.trials`.

Each trial changes one thing, on the honest task with clean queries. Nothing is tuned here: a line is a guess, shown
with its paired interval. What wins by more than its interval is worth a nested cross-validation, no more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.measures import Cases, Floats, TermPairs, best_match_average
from benchmarks.quality.ranking import Ranks, interval, rank
from benchmarks.quality.task import DATA, PublishedCase, drawn, published_cases
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.profile import Knowledge, Profile


@dataclass(frozen=True)
class World:
    """The cases drawn, as matrices, with the weights of their terms in nat."""

    drawn: list[PublishedCase]
    cases: Cases
    link: Floats
    content: Floats

    def lsx(self, exponent: float = EXPONENT, cross: float = 1.0, exact: float = 0.0, power: float = 1.0) -> Floats:
        """Return LSX of every pair: its exponent, the weight of cross terms and of equal terms, and IC to a power."""
        content = self.content**power * self.content.mean() / (self.content**power).mean()
        stated, implied = self.cases.stated, self.cases.implied
        shared = (implied * self.link) @ implied.T + exact * (stated * content) @ stated.T
        shared += cross * ((stated * content) @ implied.T + (implied * content) @ stated.T)
        own = np.diag(shared)
        norms = np.maximum(own[:, None], shared) * np.maximum(own[None, :], shared)
        result: Floats = shared / norms**exponent
        return result


def world(knowledge: Knowledge) -> World:
    """Return the cases of the benchmark."""
    cases = drawn(published_cases([DATA], knowledge))
    matrix = Cases.of([case.profile for case in cases])
    link, content = (
        np.array(w)[matrix.terms] / 1024 for w in (knowledge.information.link, knowledge.information.content)
    )
    return World(cases, matrix, link, content)


def trials(of: World, knowledge: Knowledge) -> Iterator[tuple[str, Floats]]:
    """Yield each trial's name and its values for every pair."""
    for exponent in (0.2, 0.25, 0.35, 0.4):
        yield f"exponent {exponent} instead of {EXPONENT}", of.lsx(exponent=exponent)
    for cross in (0.5, 0.75, 1.5, 2.0):
        yield f"cross terms times {cross}", of.lsx(cross=cross)
    for exact in (-0.5, 0.5, 1.0, 2.0):
        yield f"equal terms {exact:+} IC more", of.lsx(exact=exact)
    for power in (0.7, 0.85, 1.2, 1.5):
        yield f"IC to the power of {power}", of.lsx(power=power)
    yield from _soft_terms(of, knowledge)
    yield from _hubs(of)


def _soft_terms(of: World, knowledge: Knowledge) -> Iterator[tuple[str, Floats]]:
    """Soft term matching: LSX together with a best-match average."""
    profiles = [case.profile for case in of.drawn]
    pairs = TermPairs(profiles, knowledge)
    measure = best_match_average(pairs, profiles, np.sqrt(pairs.common * pairs.jaccard))
    soft = np.array([measure(profile) for profile in profiles])
    for power in (0.25, 0.5, 1.0):
        yield f"LSX times PhenoDigm to the power of {power}", of.lsx() * soft**power


def _hubs(of: World) -> Iterator[tuple[str, Floats]]:
    """A case that is like many counts for less: its mean likeness to its nearest k of other publications."""
    publication = np.unique([case.publication for case in of.drawn], return_inverse=True)[1]
    values = of.lsx()
    others = np.where(publication[:, None] == publication[None, :], -1.0, values)
    nearest = -np.sort(-others, axis=0)
    for k in (5, 20, 100):
        for share in (0.25, 0.5):
            yield f"less {share} of the mean of its nearest {k}", values - share * nearest[:k].mean(axis=0)[None, :]


def ranks(of: World, values: Floats) -> Ranks:
    """Rank by a matrix of all pairs."""
    row = {id(case.profile): number for number, case in enumerate(of.drawn)}

    def measure(query: Profile) -> Floats:
        found: Floats = values[row[id(query)]]
        return found

    return rank(of.drawn, of.drawn, measure, other_publications=True)


def main() -> None:
    """Print the table."""
    knowledge = load_knowledge(load_config(None, {"ontology.cache_dir": user_cache_dir()}, {}))
    of = world(knowledge)
    base = ranks(of, of.lsx())
    print(f"LSX: MRR {base.reciprocal.mean():.1f} over {len(base.ranks)} queries\n")
    print("| trial | MRR | ahead of LSX by (95 %) |\n|---|---|---|")
    for name, values in trials(of, knowledge):
        found = ranks(of, values)
        lead, low, high = interval(found.reciprocal - base.reciprocal, found.genes)
        print(f"| {name} | {found.reciprocal.mean():.1f} | {lead:+.1f} ({low:+.1f} to {high:+.1f}) |")


if __name__ == "__main__":
    main()
