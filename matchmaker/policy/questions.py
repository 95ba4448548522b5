"""Outgoing questions: whether a case may be sent to a peer, and exactly what of it leaves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matchmaker.genome.genes import GeneTable
from matchmaker.policy.levels import Json, shown
from matchmaker.records.sharing import MOST_GENES, Level, Sharing


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a question cannot leave, in words for its owner."""

    reason: str


def question(
    content: Json,
    sharing: Sharing,
    seen_as: str,
    contact: Json,
    genes: GeneTable,
    label_of: Callable[[str], str | None],
) -> dict[str, Any] | Withheld:
    """Return what of a case leaves in a question, in the exchange's JSON: its level's part, with the genes chosen.

    At MINIMAL nothing but the genes leaves, as nobody knows yet what is shared.
    """
    chosen = chosen_genes(content, sharing, genes)
    if isinstance(chosen, Withheld):
        return chosen
    level = Level.STANDARD if sharing.level is Level.MINIMAL else sharing.level
    patient = shown(content, level, seen_as, contact, genes, label_of)
    if "genomicFeatures" in patient:
        kept = [one for one in patient.pop("genomicFeatures") if genes.resolve(one["gene"]["id"]).key in chosen]
        patient.update({"genomicFeatures": kept} if kept else {})
    if sharing.level is Level.MINIMAL:
        if "genomicFeatures" not in patient:
            return Withheld("at level minimal only genes are sent, and none of its genes may leave")
        patient = {key: value for key, value in patient.items() if key in {"id", "contact", "test", "genomicFeatures"}}
    if not patient.keys() & {"features", "genomicFeatures"}:
        return Withheld("nothing of it may leave: it has no features, and none of its genes was chosen")
    return patient


def chosen_genes(content: Mapping[str, Any], sharing: Sharing, genes: GeneTable) -> frozenset[str] | Withheld:
    """Return the keys of the genes that may leave: those chosen; all, where nobody chose and they are few enough."""
    if sharing.genes is not None:
        return frozenset(genes.resolve(one).key for one in sharing.genes)
    found = frozenset(genes.resolve(one["gene"]["id"]).key for one in content.get("genomicFeatures", ()))
    if len(found) > MOST_GENES:
        return Withheld(
            f"it has {len(found)} candidate genes; choose at most {MOST_GENES} that may leave: sharing.genes"
        )
    return found
