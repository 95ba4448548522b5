"""Diseases as witnesses: what ranks better than LSX, and is not used. `python -m benchmarks.quality.diseases`.

Two cases are also alike if the same diseases of HPO's annotations fit both, and a case that is like very many diseases
counts for less:

    raw(q, c) = LSX(q, c) / (h(q) h(c))^g + w cos(a(q), a(c))

h(x): the mean LSX of x with its 100 most similar diseases, over the mean of that; a(x): how well each of the 50 best
diseases fits x, to the 8th power. g and w are chosen by nested cross-validation, by gene: on the other genes' queries
among the other genes' cases, 0.7 clean and 0.3 noisy by another seed. Rows that cite a publication of the case store
are left out of the diseases, as are those that nobody showed (0/n). It breaks the promise that evidence added to both
cases never lowers the score, rarely: so no node uses it.
"""

import gzip
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.measures import Cases, Floats, lsx
from benchmarks.quality.ranking import interval, rank
from benchmarks.quality.task import DATA, SEED, PublishedCase, noisy, published_cases
from benchmarks.quality.trials import World, world
from matchmaker.exchange.config import Config, load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.ontology.information import SCALE

FREQUENCY = 7  # the column of phenotype.hpoa
LEAST_TERMS = 3
HUB, NEAREST, SHARPNESS, NORM = 100, 50, 8, 0.2
GRID = tuple(product((0.0, 0.1, 0.2, 0.35, 0.5), (0.0, 0.1, 0.2)))
FOLDS, SHARES = 5, {"clean": 0.7, "tuning": 0.3}
Choice = tuple[float, float]


def disease_profiles(path: Path, knowledge: Knowledge, cited: frozenset[str]) -> list[Profile]:
    """Return the profiles of diseases with enough terms, without rows that cite one of the publications."""
    terms: defaultdict[str, set[int]] = defaultdict(set)
    for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines():
        fields = line.split("\t")
        number = knowledge.ontology.number(fields[3]) if len(fields) > FREQUENCY else None
        if number is None or fields[2] == "NOT" or fields[FREQUENCY].startswith("0/"):
            continue
        if cited.isdisjoint(fields[4].split(";")):  # several publications may stand in one row
            terms[fields[0]].add(number)
    profiles = (knowledge.profile_of_terms(terms[disease]) for disease in sorted(terms))
    return [profile for profile in profiles if len(profile.observed) >= LEAST_TERMS]


def incidence(profiles: Iterable[Profile], terms: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return profiles x terms, 0 or 1: stated, and implied."""
    place = {term: n for n, term in enumerate(terms.tolist())}
    kept = list(profiles)
    stated, implied = (np.zeros((len(kept), len(terms)), np.float32) for _ in range(2))
    for row, profile in enumerate(kept):
        stated[row, [place[term] for term in profile.observed if term in place]] = 1
        implied[row, [place[term] for term in profile.closure if term in place]] = 1
    return stated, implied


@dataclass(frozen=True)
class Weights:
    """Weights of the cases' terms in nat, and the diseases over them."""

    terms: NDArray[np.int64]
    link: NDArray[np.float32]
    content: NDArray[np.float32]
    stated: NDArray[np.float32]
    implied: NDArray[np.float32]
    own: Floats  # b of each disease


def hubs_and_fits(profiles: Sequence[Profile], of: Weights) -> tuple[Floats, Floats]:
    """Return h(x) and a(x) of each profile."""
    stated, implied = incidence(profiles, of.terms)
    own = np.array([profile.self_information / SCALE for profile in profiles])
    fit = implied * of.link + 2 * stated * of.content
    shared = (implied * of.link + stated * of.content) @ of.implied.T + (implied * of.content) @ of.stated.T
    norms = np.maximum(own[:, None], shared) * np.maximum(of.own, shared)
    alike = np.divide(shared, norms**EXPONENT, out=np.zeros_like(norms), where=shared > 0)
    hub = np.sort(alike, axis=1)[:, -HUB:].mean(axis=1)
    fits = (fit @ of.implied.T) / of.own**NORM
    least = np.partition(fits, -NEAREST, axis=1)[:, -NEAREST][:, None]
    sharp = np.where(fits >= least, fits, 0.0) ** SHARPNESS
    return hub, sharp / np.maximum(np.linalg.norm(sharp, axis=1, keepdims=True), np.finfo(float).tiny)


@dataclass(frozen=True)
class Sides:
    """For clean, noisy and tuning queries against the cases: LSX scaled to 1, hubs, and the cosine of fits."""

    lsx: Mapping[str, Floats]
    hub: Mapping[str, Floats]
    cosine: Mapping[str, Floats]

    def values(self, side: str, choice: Choice) -> Floats:
        """Return the measure for every pair."""
        hubs = self.hub[side][:, None] * self.hub["clean"]
        return self.lsx[side] / hubs ** choice[0] + choice[1] * self.cosine[side]


def sides(of: World, knowledge: Knowledge, config: Config) -> Sides:
    """Return all that the measure is made of."""
    cited = frozenset(case.publication for case in published_cases([DATA], knowledge))
    diseases = disease_profiles(config.ontology.annotations, knowledge, cited)
    stated, implied = incidence(diseases, of.cases.terms)
    own = np.array([disease.self_information / SCALE for disease in diseases])
    weights = Weights(of.cases.terms, of.link.astype(np.float32), of.content.astype(np.float32), stated, implied, own)
    drawn = of.drawn
    queries = {"clean": drawn, "noisy": noisy(drawn, knowledge), "tuning": noisy(drawn, knowledge, SEED + 1)}
    measured = {name: hubs_and_fits([case.profile for case in cases], weights) for name, cases in queries.items()}
    mean = measured["clean"][0].mean()
    alike = {name: lsx_of(cases, of.cases, knowledge) for name, cases in queries.items()}
    return Sides(
        {name: one / alike["clean"].max() for name, one in alike.items()},
        {name: hub / mean for name, (hub, _) in measured.items()},
        {name: fits @ measured["clean"][1].T for name, (_, fits) in measured.items()},
    )


def lsx_of(queries: Sequence[PublishedCase], cases: Cases, knowledge: Knowledge) -> Floats:
    """Return LSX of queries x cases."""
    measure = lsx(cases, knowledge)
    return np.array([measure(query.profile) for query in queries])


def training_scores(of: World, made: Sides, folds: NDArray[np.int64]) -> Floats:
    """Return for each choice and fold the MRR of the other folds' queries among the other folds' cases."""
    genes = np.unique([case.gene for case in of.drawn], return_inverse=True)[1]
    publications = np.unique([case.publication for case in of.drawn], return_inverse=True)[1]
    allowed = publications[:, None] != publications
    relevant = allowed & (genes[:, None] == genes)
    asked = relevant.any(axis=1)
    scores = np.zeros((len(GRID), FOLDS))
    for (n, choice), (side, share) in product(enumerate(GRID), SHARES.items()):
        values = made.values(side, choice)
        for fold in range(FOLDS):
            kept = folds != fold
            rows = kept & asked
            best = np.where((relevant & kept)[rows], values[rows], -np.inf).max(axis=1)
            before = ((allowed & kept)[rows] & (values[rows] > best[:, None])).sum(axis=1)
            scores[n, fold] += share * np.mean(1 / (before + 1))
    return scores


def nested(of: World, made: Sides, seed: int) -> tuple[dict[str, Floats], list[Choice]]:
    """Return the values of clean and noisy queries, each by what was chosen without its gene; and the choices."""
    genes = np.unique([case.gene for case in of.drawn], return_inverse=True)[1]
    folds = (np.random.default_rng(seed).permutation(genes.max() + 1) % FOLDS)[genes]
    best = training_scores(of, made, folds).argmax(axis=0)
    found = {side: np.zeros_like(made.lsx[side]) for side in ("clean", "noisy")}
    for fold, choice in enumerate(best):
        for side, values in found.items():
            values[folds == fold] = made.values(side, GRID[choice])[folds == fold]
    return found, [GRID[choice] for choice in best]


def main() -> None:
    """Print the lines."""
    config = load_config(None, {"ontology.cache_dir": user_cache_dir()}, {})
    knowledge = load_knowledge(config)
    of = world(knowledge)
    made = sides(of, knowledge, config)
    print("| queries | folds | LSX | with diseases | ahead by (95 %) | g, w chosen |\n|---|---|---|---|---|---|")
    for seed in range(3):
        found, chosen = nested(of, made, seed)
        for side, values in found.items():
            line = compared(of, made.lsx[side], values)
            print(f"| {side} | {seed} | {line} | {', '.join(map(str, chosen))} |", flush=True)


def compared(of: World, base: Floats, values: Floats) -> str:
    """Return the MRR of both, and the lead with its interval."""
    row = {id(case.profile): n for n, case in enumerate(of.drawn)}
    ranks = [
        rank(of.drawn, of.drawn, lambda query, one=one: one[row[id(query)]], other_publications=True)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        for one in (base, values)
    ]
    lead, low, high = interval(ranks[1].reciprocal - ranks[0].reciprocal, ranks[0].genes)
    return (
        f"{ranks[0].reciprocal.mean():.1f} | {ranks[1].reciprocal.mean():.1f} | {lead:+.1f} ({low:+.1f} to {high:+.1f})"
    )


if __name__ == "__main__":
    main()
