"""The ledger: one line for each query that a node answered. No health data beyond which genes matched."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """`asker` asked at `at` (seconds since 1970) and was shown `results` cases; `genes` are the keys shared."""

    at: float
    asker: str
    results: int
    genes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What the ledger adds up to, for the metrics."""

    requests: int = 0
    results: int = 0
    unique_genes: int = 0
