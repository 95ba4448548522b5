"""Counts of the index and the ledger's totals -> the numbers of metrics-api. Pure."""

from matchmaker.matching.counting import Counts
from matchmaker.mme.messages import MetricsBody
from matchmaker.records.ledger import LedgerTotals


def metrics_body(available: Counts, submitters: int, ledger: LedgerTotals, generated: str) -> MetricsBody:
    """Return the body of GET /metrics: with repeats, unless unique. `generated` is ISO 8601.

    A negated feature is none that a patient has, and does not count; nor do terms that HPO does not know.
    """
    return MetricsBody(
        number_of_cases=available.cases,
        number_of_submitters=submitters,
        number_of_genes=available.genes,
        number_of_unique_genes=available.unique_genes,
        number_of_variants=available.variants,
        number_of_unique_variants=available.unique_variants,
        number_of_features=available.features,
        number_of_unique_features=available.unique_features,
        number_of_feature_sets=available.with_features,
        number_of_cases_with_diagnosis=available.with_disorders,
        number_of_unique_genes_matched=ledger.unique_genes,
        number_of_requests_received=ledger.requests,
        number_of_potential_matches_sent=ledger.results,
        date_generated=generated,
    )
