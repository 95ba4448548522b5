"""Published cases, by publication: some are the node's, the others are what peers ask about. No publication is both."""

import gzip
import json
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from benchmarks.quality.task import DATA, LEAST_TERMS
from matchmaker.exchange.config import GeneFiles
from matchmaker.genome.genes import GeneTable
from matchmaker.intake.phenopacket import read_phenopacket
from matchmaker.mme.patient import Contact, Patient

FALLBACK = Contact(name="benchmark", href="mailto:benchmark@node.example")
MOST_DECOYS = 4


@dataclass(frozen=True)
class Published:
    """A case and its causal gene, by key."""

    patient: Patient
    gene: str
    publication: str

    def question(self, number: int, genes: list[str], *, with_genes: bool) -> dict[str, Any]:
        """Return the case as an unsolved one: without its diagnosis; with so many candidates, the causal among them."""
        told = self.patient.to_json()
        features = [{"id": f["id"], "observed": f.get("observed", "yes")} for f in told["features"]]
        asked = {"id": f"question-{number}", "contact": told["contact"], "features": features}
        if with_genes:
            asked["genomicFeatures"] = [{"gene": {"id": gene}} for gene in genes]
        return asked


def published(genes: GeneTable) -> list[Published]:
    """Return every published case with a causal gene and enough observed terms."""
    found = []
    for line in gzip.decompress(DATA.read_bytes()).decode().splitlines():
        packet = json.loads(line)
        patient, _ = read_phenopacket(packet, genes, FALLBACK)
        keys = {genes.resolve(feature.gene.id).key for feature in patient.genomic_features}
        observed = [feature for feature in patient.features if feature.observed == "yes"]
        references = packet.get("metaData", {}).get("externalReferences", [{}])
        if len(keys) == 1 and len({one.id for one in observed}) >= LEAST_TERMS:
            found.append(Published(patient, keys.pop(), references[0].get("id", packet["id"])))
    return found


def coding_symbols() -> list[str]:
    """Return the symbols of all human genes that code for a protein."""
    rows = (line.split("\t") for line in gzip.decompress(GeneFiles().table.read_bytes()).decode().splitlines())
    return sorted({row[1] for row in rows if row[5] == "protein-coding"})


def divided(cases: list[Published], count: int, seed: int) -> tuple[list[Published], list[Published]]:
    """Return `count` cases or a few less for the node, and the others, whole publications each."""
    by_publication: defaultdict[str, list[Published]] = defaultdict(list)
    for case in cases:
        by_publication[case.publication].append(case)
    names = sorted(by_publication)
    random.Random(seed).shuffle(names)  # noqa: S311 - a draw to be repeated, not to be secret
    kept: list[Published] = []
    others: list[Published] = []
    for name in names:
        some = by_publication[name]
        (kept if len(kept) + len(some) <= count else others).extend(some)
    return kept, others


def different(cases: list[Published]) -> list[Published]:
    """Return one of those with the very same terms: tables of cohorts repeat them, a hospital's patients do not."""
    first: dict[frozenset[str], Published] = {}
    for case in cases:
        first.setdefault(frozenset(f.id for f in case.patient.features if f.observed == "yes"), case)
    return list(first.values())


def with_decoys(case: Published, pool: list[str], chance: random.Random) -> list[str]:
    """Return the causal gene and up to MOST_DECOYS others of all human genes, in any order."""
    genes = {case.gene, *chance.sample(pool, chance.randint(0, MOST_DECOYS))}
    listed = sorted(genes)
    chance.shuffle(listed)
    return listed
