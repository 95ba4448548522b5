"""Choices: what somebody wants to be alerted of, and how often. A person has some, and each case may have its own."""

from enum import StrEnum

from matchmaker.records.kept import Record


class Frequency(StrEnum):
    """How often one person gets mails at most."""

    AT_ONCE = "at once"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never"


class Choices(Record):
    """What is alerted of. Scores in [0, 1]; None: as the node's configuration has it.

    `min_score` is for matches that share a gene or variant, `min_score_by_phenotype` for those that share none. Muted
    genes are those that a match must not share alone; `snoozed_until` (seconds since 1970): alerts wait until then.
    `frequency` and `language` are a person's, `muted` is a case's.
    """

    frequency: Frequency = Frequency.AT_ONCE
    language: str | None = None
    min_score: float | None = None
    min_score_by_phenotype: float | None = None
    only_shared_genes: bool = False
    only_new: bool = False
    muted: bool = False
    muted_genes: tuple[str, ...] = ()
    muted_nodes: tuple[str, ...] = ()
    snoozed_until: float | None = None
