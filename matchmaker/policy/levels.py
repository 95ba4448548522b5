"""What of a case is shown at which level, in the exchange's JSON. Deny, then allow: what is not named here stays.

The same cut is made before scoring, so that evidence above a case's level enters neither its score nor its reasons.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from matchmaker.genome.genes import GeneTable
from matchmaker.records.collection import Collection
from matchmaker.records.sharing import Level, Sharing

Json = Mapping[str, Any]
_GENE_ID = re.compile(r"[A-Z][A-Z0-9-]{0,19}|ENSG\d{11}\.\d+|(?:(?:HGNC|NCBIGene|ENTREZ):)?\d{1,9}", re.IGNORECASE)
# What others see of a case at each level, in words.
_ALWAYS = ("contact", "what is shared with the question: genes, terms or their common ancestors")
_USUAL = ("contact", "features, observed and negated", "genes", "inheritance", "disorders", "species")
SHOWN = {
    "minimal": _ALWAYS,
    "standard": _USUAL,
    "full": (*_USUAL, "variants", "zygosity", "sex", "age of onset", "label"),
}
_STANDARD = ("species", "inheritanceMode", "test")


def evidence(content: Json, level: Level) -> Json:
    """Return what of a case takes part in its score: of MINIMAL its observed terms and genes, of STANDARD also what it
    negates, its inheritance and diagnoses."""  # noqa: D209 - one sentence
    if level is Level.FULL:
        return content
    kept: dict[str, Any] = {"features": [_bare_feature(one) for one in content.get("features", ())]}
    if level is Level.MINIMAL:
        kept["features"] = [one for one in kept["features"] if one.get("observed", "yes") == "yes"]
    else:
        kept.update({key: content[key] for key in _STANDARD if key in content})
        kept["disorders"] = [{"id": one["id"]} for one in content.get("disorders", ())]
    kept["genomicFeatures"] = _bare_genes(content.get("genomicFeatures", ()))
    return {key: value for key, value in kept.items() if value != []}


def _bare_feature(feature: Json) -> dict[str, Any]:
    return {"id": feature["id"], "observed": feature.get("observed", "yes")}  # of every feature of every case


def _bare_genes(features: Iterable[Json]) -> list[dict[str, Any]]:
    """Return each gene once, without its variants; an id that has not the form of a gene's may be anything, and stays.

    HGNC's guidelines: symbols are of letters, digits and hyphens (doi:10.1038/s41588-020-0669-3).
    """
    ids = dict.fromkeys(feature["gene"]["id"] for feature in features)
    return [{"gene": {"id": gene_id}} for gene_id in ids if _GENE_ID.fullmatch(gene_id.strip())]


def shown(
    content: Json, level: Level, seen_as: str, contact: Json, genes: GeneTable, label_of: Callable[[str], str | None]
) -> dict[str, Any]:
    """Return a case as it is shown at STANDARD or FULL, under the id `seen_as`.

    Genes stand by Ensembl id, the symbol beside it; at STANDARD terms bear the ontology's labels, never the case's own.
    """
    cut = evidence(content, level)
    patient = {**cut, "id": seen_as, "contact": contact}
    if level is not Level.FULL and "features" in cut:
        patient["features"] = [_labelled(one, label_of) for one in cut["features"]]
    if "genomicFeatures" in cut:
        patient["genomicFeatures"] = [outward_gene(one, genes) for one in cut["genomicFeatures"]]
    return patient


def shown_minimal(
    content: Json,
    seen_as: str,
    contact: Json,
    terms: Iterable[Json],
    genes: Iterable[Json],
) -> dict[str, Any]:
    """Return a case as it is shown at MINIMAL: contact, and what it shares with the question.

    `terms` ({id, label}) are those of both, or the most telling ancestors of both; `genes` those of both.
    """
    patient: dict[str, Any] = {"id": seen_as, "contact": contact}
    if content.get("test"):
        patient["test"] = True
    features = [{**term, "observed": "yes"} for term in {term["id"]: term for term in terms}.values()]
    genomic = [{"gene": gene} for gene in genes]
    return {
        **patient,
        **({"features": features} if features else {}),
        **({"genomicFeatures": genomic} if genomic else {}),
    }


def _labelled(feature: Json, label_of: Callable[[str], str | None]) -> dict[str, Any]:
    label = label_of(feature["id"])
    return {**feature, "label": label} if label else dict(feature)


def outward_gene(feature: Json, genes: GeneTable) -> Json:
    """Return a genomic feature with its gene by Ensembl id, the symbol beside it."""
    gene_id: str = feature["gene"]["id"]
    known = genes.resolve(gene_id).gene
    if known is None:
        return feature
    given = gene_id.split(".", 1)[0].upper()
    shown_id = given if given in known.ensembl else genes.preferred_id(known)
    return {**feature, "gene": {"id": shown_id, "_geneName": known.symbol}}


def contact_of(content: Json, sharing: Sharing, collection: Collection | None) -> Json:
    """Return whom to write to: the collection's monitored address, unless the owner says otherwise or there is none.

    One e-mail address, as 1.1 has it.
    """
    contact: Json = content["contact"]
    if collection is not None and not sharing.own_contact:
        contact = collection.contact.to_json()
    if isinstance(contact.get("email"), list):
        return {**contact, "email": contact["email"][0]}
    return contact
