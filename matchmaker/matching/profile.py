"""Patient -> Profile: what of a patient takes part in a score.

Works on the exchange's JSON, so that profiles of stored cases need no patients made of them. Resolves terms, genes
and variants once, so that scoring compares numbers and keys only.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from matchmaker.genome.genes import GeneTable, Resolution
from matchmaker.genome.variants import Lift, Locus, VariantKey, variant_key
from matchmaker.matching.calibration import Calibration
from matchmaker.mme import patient as mme
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import Information

# HPO, below mode of inheritance: autosomal dominant and recessive, X-linked, Y-linked, mitochondrial.
INHERITANCE = ("HP:0000006", "HP:0000007", "HP:0001417", "HP:0001450", "HP:0001427")
# HPO, below onset, earliest first: antenatal, congenital, neonatal, infantile, childhood, juvenile, adult.
ONSET = ("HP:0030674", "HP:0003577", "HP:0003623", "HP:0003593", "HP:0011463", "HP:0003621", "HP:0003581")
BOTH_ALLELES = 2
MOST_VARIANTS = 64  # of one candidate gene that are compared: each with each of another case


@dataclass(frozen=True, slots=True)
class CandidateGene:
    """A candidate gene of a patient. `key` compares; `shown_id` and `symbol` are for people and other nodes.

    `alleles` says how many copies of the gene are hit: 2 when a variant is homozygous or there are two variants
    (compound heterozygous), 1 when its one variant is heterozygous, 0 when nobody said.
    """

    key: str
    shown_id: str
    symbol: str | None
    variants: frozenset[VariantKey] = frozenset()
    alleles: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What is compared of a case. Terms are numbers of the ontology, below phenotypic abnormality.

    `observed` holds what was stated, `closure` its ancestors too, `denied` what was negated; `self_information` is b(x)
    of the LSX measure in 1/1024 nat. `inheritance` and `onset` are places in INHERITANCE and ONSET, from 1, or 0 when
    not known. `notes` say what was left out, and why.
    """

    observed: frozenset[int] = frozenset()
    closure: frozenset[int] = frozenset()
    self_information: int = 0
    genes: Mapping[str, CandidateGene] = field(default_factory=dict)
    disorders: frozenset[str] = frozenset()
    inheritance: int = 0
    onset: int = 0
    notes: tuple[str, ...] = ()
    denied: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Knowledge:
    """All that scoring knows of the world: the ontology, what its terms tell, genes, and the assembly lift."""

    ontology: Ontology
    information: Information
    genes: GeneTable
    lift: Lift
    calibration: Calibration
    fingerprint: str = ""  # of all the data that profiles rest on; the same data, the same profiles

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the data that a score rests on."""
        told = {"hpo": self.ontology.version, "genes": self.genes.version, "calibration": self.calibration.version}
        return {**told, **self.information.versions}

    def profile(self, patient: mme.Patient) -> Profile:
        """Return the profile of a patient. A negated term never counts as present."""
        return self.profile_of_content(patient.to_json())

    def profile_of_content(self, content: Mapping[str, Any]) -> Profile:
        """Return the profile of a patient in the exchange's JSON, as a valid Patient is written."""
        stated, denied, unknown = self._stated(content)
        notes = [f"{term} is no term of HPO {self.ontology.version}; left out of the score" for term in sorted(unknown)]
        genes, doubts = self.candidates(content)
        observed, closure, total = self._terms(stated, denied)
        return Profile(
            observed,
            closure,
            total,
            genes=genes,
            disorders=frozenset(disorder["id"] for disorder in content.get("disorders", ())),
            inheritance=self._class(content.get("inheritanceMode"), INHERITANCE),
            onset=self._class(content.get("ageOfOnset"), ONSET),
            notes=(*notes, *doubts),
            denied=frozenset(denied),
        )

    def observed_and_denied(self, content: Mapping[str, Any]) -> tuple[Set[int], Set[int]]:
        """Return what a profile has as observed and denied, without the rest of it."""
        stated, denied, _ = self._stated(content)
        return (self.ontology.abnormalities & stated) - denied, denied

    def _stated(self, content: Mapping[str, Any]) -> tuple[set[int], set[int], set[str]]:
        """Return the numbers of terms stated and negated, and the stated ids that HPO does not know."""
        stated, denied, unknown = set[int](), set[int](), set[str]()
        number_of = self.ontology.numbers.get  # called for every feature of every case that is shown
        for feature in content.get("features", ()):
            number = number_of(feature["id"])
            negated = "observed" in feature and feature["observed"] == "no"
            if number is not None:
                (denied if negated else stated).add(number)
            elif not negated:
                unknown.add(feature["id"])
        return stated, denied, unknown

    def _class(self, term_id: str | None, classes: tuple[str, ...]) -> int:
        """Return which of the classes a term is or lies below, from 1; 0 for none."""
        number = self.ontology.number(term_id) if term_id else None
        above = self.ontology.ancestors(number) if number is not None else frozenset()
        return next((n for n, one in enumerate(classes, 1) if self.ontology.number(one) in above), 0)

    def profile_of_terms(self, numbers: Iterable[int], negated: Iterable[int] = ()) -> Profile:
        """Return the profile of observed term numbers; those outside phenotypic abnormality are left out.

        A negated term is left out even where another one implies it: a record that contradicts itself is believed
        in what it denies.
        """
        denied = frozenset(negated)
        return Profile(*self._terms(numbers, denied), denied=denied)

    def _terms(self, numbers: Iterable[int], denied: Set[int]) -> tuple[frozenset[int], frozenset[int], int]:
        """Return the observed terms, their closure, and b(x)."""
        known = self.ontology.abnormalities  # by far the larger set: it is looked into, never copied
        observed = (known & frozenset(numbers)) - denied
        closure = (known & self.ontology.closure(observed)) - denied
        link, content = self.information.link, self.information.content
        total = sum(map(link.__getitem__, closure)) + 2 * sum(map(content.__getitem__, observed))
        return observed, closure, total

    def candidates(self, content: Mapping[str, Any]) -> tuple[dict[str, CandidateGene], list[str]]:
        """Return the candidate genes of a patient in the exchange's JSON, and doubts about their ids."""
        resolved: dict[str, Resolution] = {}
        given: dict[str, str] = {}
        variants: dict[str, set[VariantKey]] = {}
        copies: dict[str, int] = {}
        for feature in content.get("genomicFeatures", ()):
            gene_id = feature["gene"]["id"]
            resolution = self.genes.resolve(gene_id)
            resolved[resolution.key] = resolution
            given.setdefault(resolution.key, gene_id)
            found = variants.setdefault(resolution.key, set())
            if locus := _locus(feature.get("variant")):
                found.add(variant_key(locus, self.lift))
                copies[resolution.key] = max(copies.get(resolution.key, 0), feature.get("zygosity", 0))
        candidates = {
            key: self._candidate(resolution, given[key], _few(variants[key]), copies.get(key, 0))
            for key, resolution in resolved.items()
        }
        doubts = [_doubt(given[key], r) for key, r in resolved.items() if r.gene is None]
        many = [given[key] for key, found in variants.items() if len(found) > MOST_VARIANTS]
        return candidates, [*doubts, *(f"{gene}: only {MOST_VARIANTS} of its variants are compared" for gene in many)]

    def _candidate(
        self, resolution: Resolution, given: str, variants: frozenset[VariantKey], copies: int
    ) -> CandidateGene:
        gene = resolution.gene
        alleles = BOTH_ALLELES if len(variants) > 1 else copies
        if gene is None:
            return CandidateGene(resolution.key, given, None, variants, alleles)
        return CandidateGene(resolution.key, self.genes.preferred_id(gene), gene.symbol, variants, alleles)


def _few(variants: set[VariantKey]) -> frozenset[VariantKey]:
    """Return at most MOST_VARIANTS, the same ones for the same variants."""
    return frozenset(sorted(variants, key=lambda one: one.digest)[:MOST_VARIANTS])


def _doubt(given: str, resolution: Resolution) -> str:
    if not resolution.ambiguous:
        return f"{given} is no gene known here; it matches only itself"
    meanings = ", ".join(sorted({gene.symbol for gene in resolution.candidates}))
    return f"{given} is an alias of several genes ({meanings}); it is compared as written"


def _locus(variant: Mapping[str, Any] | None) -> Locus | None:
    if variant is None or "start" not in variant:
        return None
    return Locus(
        assembly=variant["assembly"],
        chromosome=variant["referenceName"],
        start=variant["start"],
        end=variant.get("end"),
        reference=variant.get("referenceBases", ""),
        alternate=variant.get("alternateBases", ""),
    )
