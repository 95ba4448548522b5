"""Patient -> Profile: what of a patient takes part in a score.

Resolves terms, genes and variants once, so that scoring compares numbers and keys only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from matchmaker.genome.genes import GeneTable, Resolution
from matchmaker.genome.variants import Lift, Locus, VariantKey, variant_key
from matchmaker.mme import patient as mme
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import Information


@dataclass(frozen=True, slots=True)
class CandidateGene:
    """A candidate gene of a patient. `key` compares; `shown_id` and `symbol` are for people and other nodes."""

    key: str
    shown_id: str
    symbol: str | None
    variants: frozenset[VariantKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a patient's record says, repeats and unknown ids included: observed features, genes, variants."""

    features: tuple[str, ...] = ()
    genes: int = 0
    variants: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What is compared of a case. Terms are numbers of the ontology, below phenotypic abnormality.

    `observed` holds what was stated, `closure` its ancestors too; `self_information` is b(x) of the LSX measure in
    1/1024 nat. `notes` say what was left out, and why. `mentions` is what was said, for statistics.
    """

    observed: frozenset[int] = frozenset()
    closure: frozenset[int] = frozenset()
    self_information: int = 0
    genes: Mapping[str, CandidateGene] = field(default_factory=dict)
    disorders: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    mentions: Mentions = Mentions()


@dataclass(frozen=True)
class Knowledge:
    """All that scoring knows of the world: the ontology, what its terms tell, genes, and the assembly lift."""

    ontology: Ontology
    information: Information
    genes: GeneTable
    lift: Lift
    fingerprint: str = ""  # of all the data that profiles rest on; the same data, the same profiles

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the data that a score rests on."""
        return {"hpo": self.ontology.version, "genes": self.genes.version, **self.information.versions}

    def profile(self, patient: mme.Patient) -> Profile:
        """Return the profile of a patient. A negated term never counts as present."""
        negated = {self.ontology.number(f.id) for f in patient.features if f.observed == "no"}
        stated = [f.id for f in patient.features if f.observed == "yes"]
        known = {number for number in map(self.ontology.number, stated) if number is not None}
        genes, doubts = self._genes(patient.genomic_features)
        unknown = sorted({term for term in stated if term not in self.ontology})
        notes = [f"{term} is no term of HPO {self.ontology.version}; left out of the score" for term in unknown]
        mentions = Mentions(
            tuple(self.ontology.canonical(term) or term for term in stated),
            len(patient.genomic_features),
            sum(feature.variant is not None for feature in patient.genomic_features),
        )
        disorders = frozenset(disorder.id for disorder in patient.disorders)
        profile = self.profile_of_terms(known, (number for number in negated if number is not None))
        return replace(profile, genes=genes, disorders=disorders, notes=(*notes, *doubts), mentions=mentions)

    def profile_of_terms(self, numbers: Iterable[int], negated: Iterable[int] = ()) -> Profile:
        """Return the profile of observed term numbers; those outside phenotypic abnormality are left out.

        A negated term is left out even where another one implies it: a record that contradicts itself is believed
        in what it denies.
        """
        denied = frozenset(negated)
        observed = frozenset(numbers) & self.ontology.abnormalities - denied
        closure = self.ontology.closure(observed) & self.ontology.abnormalities - denied
        link, content = self.information.link, self.information.content
        total = sum(link[t] for t in closure) + 2 * sum(content[t] for t in observed)
        return Profile(observed, closure, total)

    def _genes(self, features: Iterable[mme.GenomicFeature]) -> tuple[dict[str, CandidateGene], list[str]]:
        resolved: dict[str, Resolution] = {}
        given: dict[str, str] = {}
        variants: dict[str, set[VariantKey]] = {}
        for feature in features:
            resolution = self.genes.resolve(feature.gene.id)
            resolved[resolution.key] = resolution
            given.setdefault(resolution.key, feature.gene.id)
            found = variants.setdefault(resolution.key, set())
            if locus := _locus(feature.variant):
                found.add(variant_key(locus, self.lift))
        candidates = {
            key: self._candidate(resolution, given[key], frozenset(variants[key]))
            for key, resolution in resolved.items()
        }
        return candidates, [_doubt(given[key], r) for key, r in resolved.items() if r.gene is None]

    def _candidate(self, resolution: Resolution, given: str, variants: frozenset[VariantKey]) -> CandidateGene:
        gene = resolution.gene
        if gene is None:
            return CandidateGene(resolution.key, given, None, variants)
        return CandidateGene(resolution.key, self.genes.preferred_id(gene), gene.symbol, variants)


def _doubt(given: str, resolution: Resolution) -> str:
    if not resolution.ambiguous:
        return f"{given} is no gene known here; it matches only itself"
    meanings = ", ".join(sorted({gene.symbol for gene in resolution.candidates}))
    return f"{given} is an alias of several genes ({meanings}); it is compared as written"


def _locus(variant: mme.Variant | None) -> Locus | None:
    if variant is None or variant.start is None:
        return None
    return Locus(
        assembly=variant.assembly,
        chromosome=variant.reference_name,
        start=variant.start,
        end=variant.end,
        reference=variant.reference_bases or "",
        alternate=variant.alternate_bases or "",
    )
