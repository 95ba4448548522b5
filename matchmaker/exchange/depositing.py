"""What a deposit must be like, and what its owner should know of it: checked before anything is stored."""

from datetime import date

from matchmaker.exchange.config import Node
from matchmaker.exchange.following import Directory, Following
from matchmaker.genome.genes import GeneTable
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Patient
from matchmaker.policy.consent import same_institution
from matchmaker.policy.data_use import collection_allows
from matchmaker.policy.questions import Withheld, chosen_genes
from matchmaker.records.collection import Collection
from matchmaker.records.party import Client, Purpose
from matchmaker.records.person import PersonRole
from matchmaker.records.sharing import Circle, Sharing

_KEPT_HERE = (Circle.NONE, Circle.INSTITUTION)


def check_deposit(
    owner: Client, patient: Patient, sharing: Sharing, person: str | None, node: Node, following: Following
) -> None:
    """Raise InvalidRequest unless a case may be deposited so."""
    directory = following.directory
    problems = [
        *_circle_problems(sharing, node, directory),
        *_collection_problems(owner, sharing, node, directory),
        *_person_problems(owner, person, directory),
        *gene_problems(patient, sharing.genes or (), following.current.knowledge.genes, "sharing.genes"),
    ]
    if problems:
        raise InvalidRequest(*problems)


def _circle_problems(sharing: Sharing, node: Node, directory: Directory) -> list[Problem]:
    named = bool(sharing.countries or sharing.nodes)
    if sharing.circle is Circle.NAMED and not named:
        return [Problem("sharing.with", "named goes with sharing.countries, sharing.nodes, or both")]
    if sharing.circle is not Circle.NAMED and named:
        return [Problem("sharing.with", "countries and nodes go with named only")]
    known = {node.name, *directory.peers, *(directory.institutions.keys() - directory.people.keys())}
    unknown = [n for n, name in enumerate(sharing.nodes) if name not in known]
    listed = ", ".join(sorted({node.name, *directory.peers}))
    return [Problem(f"sharing.nodes[{n}]", f"no such node; known are {listed}") for n in unknown]


def _collection_problems(owner: Client, sharing: Sharing, node: Node, directory: Directory) -> list[Problem]:
    if sharing.collection is None:
        if node.production and sharing.circle not in _KEPT_HERE:
            return [Problem("collection", "a node in production shares a case only as part of a collection; name it")]
        return []
    collection = directory.collections.get(sharing.collection)
    if collection is None:
        return [Problem("collection", "there is no collection of that name; see GET /api/collections")]
    if not same_institution(collection.institution, owner.institution or owner.name):
        yours = owner.institution or f"no institution but {owner.name} itself"
        return [Problem("collection", f"is of {collection.institution}; you are of {yours}")]
    return []


def _person_problems(owner: Client, address: str | None, directory: Directory) -> list[Problem]:
    """Return what is wrong with a case's owner among the people: somebody of the depositor's institution."""
    if address is None:
        return []
    person, institution = directory.people.get(address), owner.institution or owner.name
    if person is None or person.disabled_at is not None or not same_institution(person.institution, institution):
        return [Problem("owner", f"is nobody of {institution} here; add: matchmaker user add {address}")]
    if person.role is PersonRole.OPERATOR:
        return [Problem("owner", "is an operator, who sees no case; name a clinician or curator")]
    return []


def loosened(before: Sharing | None, after: Sharing) -> tuple[str, ...]:
    """Return in words what of an earlier sharing protected a case more than the one that it has now."""
    if before is None:
        return ()
    said = []
    if before.collection is not None and after.collection is None:
        said.append(f"it leaves the collection {before.collection}")
    if after.level > before.level:
        said.append(f"it is shown at level {after.level.word}, and was at {before.level.word}")
    if before.until is not None and (after.until is None or after.until > before.until):
        said.append(f"it was shared until {before.until.isoformat()}, and is for longer")
    return tuple(said)


def _told_to_some(collection: Collection, purpose: Purpose, today: date) -> bool:
    return collection_allows(collection, purpose, today, own_institution=True, compatriot=True)


def gene_problems(patient: Patient, genes: tuple[str, ...], table: GeneTable, path: str) -> list[Problem]:
    """Return what is wrong with a choice of genes: each must be among the patient's candidates."""
    own = {table.resolve(feature.gene.id).key for feature in patient.genomic_features}
    wrong = [n for n, gene in enumerate(genes) if table.resolve(gene).key not in own]
    return [Problem(f"{path}[{n}]", "is none of the case's candidate genes") for n in wrong]


def notes_on(patient: Patient, sharing: Sharing, node: Node, following: Following, today: date) -> tuple[str, ...]:
    """Return what the owner of a case should know: what takes no part in its scores, and who cannot see it."""
    knowledge = following.current.knowledge
    notes = list(knowledge.profile(patient).notes)
    if sharing.circle is Circle.COUNTRY and node.country is None:
        notes.append("this node has no country: what is shared with the country is shown to nobody else")
    if sharing.until is not None and sharing.until < today:
        notes.append("sharing.until has passed: nobody but you can find the case")
    collection = following.directory.collections.get(sharing.collection or "")
    if collection and not any(_told_to_some(collection, purpose, today) for purpose in Purpose):
        notes.append(
            f"the collection {collection.name} lets nobody but you learn of it: legal basis: {collection.legal_basis},"
            f" benefit of others: {collection.benefit_of_others}, research: {collection.future_research}, data use:"
            f" {', '.join(collection.data_use) or 'not stated'}"
        )
    chosen = chosen_genes(patient.to_json(), sharing, knowledge.genes)
    if isinstance(chosen, Withheld) and sharing.circle not in _KEPT_HERE:
        notes.append(f"no other node is asked about it: {chosen.reason}")
    return tuple(notes)
