"""Print how well each measure ranks published cases, by phenotype alone.

python -m benchmarks.quality [--first] [PHENOPACKETS ...]

--first takes the first ten cases of each gene in the order of the file, in place of ten that are drawn.
"""

import argparse
import platform
from pathlib import Path

from benchmarks.quality.measures import Cases, Measure, lsx, references
from benchmarks.quality.ranking import Ranks, interval, rank
from benchmarks.quality.task import DATA, PublishedCase, drawn, first_ones, noisy, published_cases
from matchmaker.exchange.config import Config, load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.information import annotation_content

OURS = "LSX"
LED = "simGIC, as in patientMatcher"


def main() -> None:
    """Evaluate and print."""
    options = argparse.ArgumentParser(description="How well each measure ranks published cases.")
    options.add_argument("paths", nargs="*", type=Path, default=[DATA], metavar="PHENOPACKETS")
    options.add_argument("--first", action="store_true", help="the first ten cases of a gene, not ten that are drawn")
    chosen = options.parse_args()
    config = load_config(None, {"ontology.cache_dir": user_cache_dir()}, {})
    knowledge = load_knowledge(config)
    cases = (first_ones if chosen.first else drawn)(published_cases(chosen.paths, knowledge))
    print(f"{len(cases)} cases of {len({case.gene for case in cases})} genes; {_versions(knowledge)}; {_machine()}")
    for title, queries, honest in (
        ("any case, clean query", cases, False),
        ("other publications, clean query", cases, True),
        ("other publications, noisy query", noisy(cases, knowledge), True),
    ):
        _table(title, _ranked(cases, queries, knowledge, config, honest=honest))


def _ranked(
    cases: list[PublishedCase], queries: list[PublishedCase], knowledge: Knowledge, config: Config, *, honest: bool
) -> dict[str, Ranks]:
    profiles = [case.profile for case in cases]
    matrix = Cases.of(profiles)
    annotated = annotation_content(knowledge.ontology, config.ontology.annotations)
    measures: dict[str, Measure] = references(matrix, profiles, [q.profile for q in queries], knowledge, annotated)
    measures[OURS] = lsx(matrix, knowledge)
    return {name: rank(cases, queries, one, other_publications=honest) for name, one in measures.items()}


def _table(title: str, found: dict[str, Ranks]) -> None:
    print(f"\n{title}: {len(found[OURS].ranks)} queries")
    print("| measure | MRR | 95 % | hit 1 | hit 5 | hit 10 | LSX leads by (95 %) |\n|---|---|---|---|---|---|---|")
    for name, ranks in found.items():
        mean, low, high = interval(ranks.reciprocal, ranks.genes)
        lead, least, most = interval(found[OURS].reciprocal - ranks.reciprocal, ranks.genes)
        ahead = "" if name == OURS else f"{lead:+.1f} ({least:+.1f} to {most:+.1f})"
        hits = " | ".join(f"{ranks.hit(k):.1f}" for k in (1, 5, 10))
        print(f"| {name} | {mean:.1f} | {low:.1f} to {high:.1f} | {hits} | {ahead} |")


def _versions(knowledge: Knowledge) -> str:
    return ", ".join(f"{name} {version}" for name, version in knowledge.versions.items())


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
