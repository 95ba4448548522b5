"""Consent: which cases an asker may learn of, what of them leaves the node, and whom a case may be asked of."""

from collections.abc import Mapping
from typing import Any

from matchmaker.genome.genes import GeneTable
from matchmaker.mme.patient import Patient
from matchmaker.records.case import Audience, Case, KeptCase, Sharing
from matchmaker.records.party import Client, Peer, Role


def may_learn(asker: Client, audience: Audience, own_country: str | None, *, test_query: bool) -> bool:
    """Tell whether `asker` may find cases of this audience.

    Test cases are found by test queries only. An owner finds its own; others what is shared with all, or with the
    node's country when they belong to it.
    """
    if audience.test and not test_query:
        return False
    if owns(asker, audience.owner):
        return True
    if audience.sharing is Sharing.ALL:
        return True
    return audience.sharing is Sharing.COUNTRY and _compatriot(asker, own_country)


def owns(asker: Client, owner: str) -> bool:
    """Tell whether `asker` is the owner of that name: a depositor, not a node that came to bear the same name."""
    return asker.role is Role.DEPOSITOR and asker.name == owner


def _compatriot(asker: Client, own_country: str | None) -> bool:
    """A depositor without a stated country belongs to its node's; a remote node without one belongs to none."""
    country = asker.country or (own_country if asker.role is Role.DEPOSITOR else None)
    return own_country is not None and country == own_country


def may_ask(case: Case, peer: Peer, own_country: str | None) -> bool:
    """Tell whether a case may be sent to a peer as a query: a query tells the peer as much as a match would."""
    if case.sharing is Sharing.ALL:
        return True
    return case.sharing is Sharing.COUNTRY and own_country is not None and peer.country == own_country


def outward(case: Case, genes: GeneTable) -> Patient:
    """Return what others may see of a case. Errors: ValueError when the case was withdrawn."""
    return Patient.model_validate(outward_content(case.kept, genes))


def outward_content(case: KeptCase, genes: GeneTable) -> dict[str, Any]:
    """Return what others may see of a case, in the exchange's JSON.

    Its public id instead of the owner's; no label, which often is a local name; one e-mail address, as 1.1 has it;
    genes by Ensembl id, the symbol beside it. Errors: ValueError when the case was withdrawn.
    """
    if case.content is None:
        raise ValueError("nothing of a withdrawn case may be shown")
    shown = {**case.content, "id": case.public_id}
    shown.pop("label", None)
    contact = shown["contact"]
    if isinstance(contact.get("email"), list):
        shown["contact"] = {**contact, "email": contact["email"][0]}
    if "genomicFeatures" in shown:
        shown["genomicFeatures"] = [_outward_gene(feature, genes) for feature in shown["genomicFeatures"]]
    return shown


def _outward_gene(feature: Mapping[str, Any], genes: GeneTable) -> Mapping[str, Any]:
    gene_id: str = feature["gene"]["id"]
    known = genes.resolve(gene_id).gene
    if known is None:
        return feature
    given = gene_id.split(".", 1)[0].upper()
    shown = given if given in known.ensembl else genes.preferred_id(known)
    return {**feature, "gene": {"id": shown, "_geneName": known.symbol}}
