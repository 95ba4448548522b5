"""The task: published cases as queries against each other; relevant is who has the same causal gene.

At least three observed terms, at most ten cases a gene, drawn with a fixed seed. The honest form removes every case
of the query's own publication first.
"""

import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.ontology.hpo import Ontology

DATA = Path(__file__).parents[1] / "data" / "phenopackets.jsonl.gz"
LEAST_TERMS = 3
MOST_OF_A_GENE = 10
SEED = 20260625
DROPPED, RAISED, ADDED = 0.30, 0.30, 0.25  # of a noisy query's terms


@dataclass(frozen=True)
class PublishedCase:
    """A case with its causal gene and the publication that it comes from."""

    id: str
    gene: str
    publication: str
    profile: Profile


def published_cases(paths: Iterable[Path], knowledge: Knowledge) -> list[PublishedCase]:
    """Return every case of the files that names a gene and has enough observed terms."""
    found = []
    for path in paths:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        lines = text.decode("utf-8").splitlines()
        found += [case for line in lines if (case := _case(json.loads(line), knowledge))]
    return found


def _case(packet: dict[str, Any], knowledge: Knowledge) -> PublishedCase | None:
    genes = [
        genomic["variantInterpretation"]["variationDescriptor"]["geneContext"]
        for interpretation in packet.get("interpretations", [])
        for genomic in interpretation["diagnosis"].get("genomicInterpretations", [])
        if "geneContext" in genomic.get("variantInterpretation", {}).get("variationDescriptor", {})
    ]
    observed = [f["type"]["id"] for f in packet.get("phenotypicFeatures", []) if not f.get("excluded")]
    numbers = {number for number in map(knowledge.ontology.number, observed) if number is not None}
    profile = knowledge.profile_of_terms(numbers)
    references = packet.get("metaData", {}).get("externalReferences", [{}])
    if not genes or len(profile.observed) < LEAST_TERMS:
        return None
    gene = knowledge.genes.resolve(genes[0].get("valueId") or genes[0]["symbol"]).key
    return PublishedCase(packet["id"], gene, references[0].get("id", packet["id"]), profile)


def drawn(cases: Sequence[PublishedCase], seed: int = SEED) -> list[PublishedCase]:
    """Return at most MOST_OF_A_GENE cases of each gene, in the order of genes and ids."""
    by_gene: defaultdict[str, list[PublishedCase]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: case.id):
        by_gene[case.gene].append(case)
    chance = random.Random(seed)  # noqa: S311 - a draw to be repeated, not to be secret
    kept: list[PublishedCase] = []
    for gene in sorted(by_gene):
        same = by_gene[gene]
        kept += sorted(chance.sample(same, min(MOST_OF_A_GENE, len(same))), key=lambda case: case.id)
    return kept


def first_ones(cases: Sequence[PublishedCase]) -> list[PublishedCase]:
    """Return the first MOST_OF_A_GENE cases of each gene, in the order given."""
    met: Counter[str] = Counter()
    kept: list[PublishedCase] = []
    for case in cases:
        met[case.gene] += 1
        if met[case.gene] <= MOST_OF_A_GENE:
            kept.append(case)
    return kept


def noisy(cases: Sequence[PublishedCase], knowledge: Knowledge, seed: int = SEED) -> list[PublishedCase]:
    """Return the cases as a hurried clinician might have written them: terms dropped, made vaguer, and added."""
    chance = random.Random(seed)  # noqa: S311 - as above
    pool = sorted({term for case in cases for term in case.profile.observed})
    return [replace(case, profile=_noisy(case.profile, pool, knowledge, chance)) for case in cases]


def _noisy(profile: Profile, pool: Sequence[int], knowledge: Knowledge, chance: random.Random) -> Profile:
    terms = sorted(profile.observed)
    kept = [term for term in terms if chance.random() >= DROPPED] or [chance.choice(terms)]
    vaguer = [_raised(term, knowledge.ontology, chance) if chance.random() < RAISED else term for term in kept]
    added = chance.sample(pool, round(ADDED * len(terms)))
    return knowledge.profile_of_terms([*vaguer, *added])


def _raised(term: int, ontology: Ontology, chance: random.Random) -> int:
    parents = [parent for parent in ontology.parents(term) if parent in ontology.abnormalities]
    return chance.choice(parents) if parents else term
