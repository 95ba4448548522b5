"""Profiles and the ledger's totals -> the numbers of metrics-api. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from matchmaker.matching.profile import Profile
from matchmaker.mme.messages import MetricsBody
from matchmaker.records.case import Audience, Sharing
from matchmaker.records.ledger import LedgerTotals


@dataclass(frozen=True, slots=True)
class Available:
    """What is available for matching, as metrics-api counts it: with repeats, unless unique."""

    number_of_cases: int
    number_of_submitters: int
    number_of_genes: int
    number_of_unique_genes: int
    number_of_variants: int
    number_of_unique_variants: int
    number_of_features: int
    number_of_unique_features: int
    number_of_feature_sets: int
    number_of_cases_with_diagnosis: int


def count_available(cases: Iterable[tuple[Audience, Profile]]) -> Available:
    """Count the cases shared with anybody. A negated feature is none that a patient has, and does not count."""
    shared = [(audience, profile) for audience, profile in cases if audience.sharing is not Sharing.NONE]
    profiles = [profile for _, profile in shared]
    genes = {gene.key for profile in profiles for gene in profile.genes.values()}
    variants = {key for profile in profiles for gene in profile.genes.values() for key in gene.variants}
    features = [term for profile in profiles for term in profile.mentions.features]
    return Available(
        number_of_cases=len(profiles),
        number_of_submitters=len({audience.owner for audience, _ in shared}),
        number_of_genes=sum(profile.mentions.genes for profile in profiles),
        number_of_unique_genes=len(genes),
        number_of_variants=sum(profile.mentions.variants for profile in profiles),
        number_of_unique_variants=len(variants),
        number_of_features=len(features),
        number_of_unique_features=len(set(features)),
        number_of_feature_sets=sum(bool(profile.mentions.features) for profile in profiles),
        number_of_cases_with_diagnosis=sum(bool(profile.disorders) for profile in profiles),
    )


def metrics_body(available: Available, ledger: LedgerTotals, generated: str) -> MetricsBody:
    """Return the body of GET /metrics. `generated` is ISO 8601."""
    return MetricsBody(
        **asdict(available),
        number_of_unique_genes_matched=ledger.unique_genes,
        number_of_requests_received=ledger.requests,
        number_of_potential_matches_sent=ledger.results,
        date_generated=generated,
    )
