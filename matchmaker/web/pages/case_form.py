"""A case as a form: from fields to a patient and its sharing, and back. Pure.

The whole form travels with each request, so that it can be filled in without any script: a button that adds a term
sends everything, and gets the form with one row more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from multidict import MultiDict

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.variants import read_variant, shown_variant
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Contact, GenomicFeature, Patient
from matchmaker.mme.validation import validate
from matchmaker.ontology.hpo import Ontology
from matchmaker.records.case import Case
from matchmaker.records.sharing import Circle, Level, Sharing

CIRCLES = (Circle.ALL, Circle.COUNTRY, Circle.INSTITUTION, Circle.NONE)
LEVELS = (Level.MINIMAL, Level.STANDARD, Level.FULL)
INHERITANCE = (
    "HP:0000006", "HP:0000007", "HP:0001417", "HP:0001423", "HP:0001419", "HP:0001427", "HP:0032113", "HP:0001450",
    "HP:0003745", "HP:0010984",
)  # fmt: skip
ONSET = (
    "HP:0030674", "HP:0003577", "HP:0003623", "HP:0003593", "HP:0011463", "HP:0003621", "HP:0003581", "HP:0003584",
)  # fmt: skip
SEXES = ("FEMALE", "MALE", "OTHER")
_MOST_PROBLEMS = 20
_DISORDER = re.compile(r"(?:O?MIM|ORPHA|Orphanet):?\s?(C?\d+)", re.IGNORECASE)
_MOST_OF_A_NAME = 300  # letters; a patient's may be 255
_MOST_OF_A_VARIANT = 100_200  # published deletions are written out
_MOST_OF_DISORDERS = 5_000
_MOST_LETTERS = {"disorders": _MOST_OF_DISORDERS + 1}  # one more: so it is known that there were
_MOST_ROWS = 1_000  # as many as a patient may have: else a case would lose some when it is kept again


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """A term of the form: observed or absent, and its onset ("" where none is said)."""

    id: str
    observed: bool = True
    onset: str = ""


@dataclass(frozen=True, slots=True)
class GeneRow:
    """A gene of the form as it was typed, its variant as people write it, and how many copies."""

    gene: str
    variant: str = ""
    zygosity: str = ""


@dataclass(frozen=True)
class CaseForm:
    """All that the form holds, as typed."""

    id: str = ""
    label: str = ""
    family: str = ""
    sex: str = ""
    inheritance: str = ""
    onset: str = ""
    disorders: str = ""
    test: bool = False
    features: tuple[FeatureRow, ...] = ()
    genes: tuple[GeneRow, ...] = ()
    circle: str = Circle.ALL.value
    level: str = Level.STANDARD.word
    until: str = ""
    collection: str = ""
    own_contact: bool = True

    def with_feature(self, said: str) -> "CaseForm":
        """Return the form with a term more: `HP:0000252`, or `HP:0000252|no` for one that is absent."""
        term, _, observed = said.partition("|")
        if not term.strip() or any(row.id == term for row in self.features) or len(self.features) >= _MOST_ROWS:
            return self
        return replace(self, features=(*self.features, FeatureRow(term, observed != "no")))

    def without_feature(self, term: str) -> "CaseForm":
        """Return the form without a term."""
        return replace(self, features=tuple(row for row in self.features if row.id != term))

    def with_gene(self, gene: str) -> "CaseForm":
        """Return the form with a gene more."""
        known = {row.gene.casefold() for row in self.genes}
        if not gene.strip() or gene.strip().casefold() in known or len(self.genes) >= _MOST_ROWS:
            return self
        return replace(self, genes=(*self.genes, GeneRow(gene.strip())))

    def without_gene(self, number: str) -> "CaseForm":
        """Return the form without its gene of that number, from 0."""
        return replace(self, genes=tuple(row for n, row in enumerate(self.genes) if str(n) != number))


def form_of(fields: MultiDict[str]) -> CaseForm:
    """Return a form as it was sent."""
    terms = [term for term in dict.fromkeys(fields.getall("feature", [])) if term.strip()][:_MOST_ROWS]
    features = tuple(
        FeatureRow(term, fields.get(f"observed.{term}", "yes") != "no", fields.get(f"onset.{term}", ""))
        for term in terms
    )
    genes = tuple(
        GeneRow(
            gene[:_MOST_OF_A_NAME],
            fields.get(f"variant.{n}", "")[:_MOST_OF_A_VARIANT],
            fields.get(f"zygosity.{n}", ""),
        )
        for n, gene in enumerate(fields.getall("gene", [])[:_MOST_ROWS])
    )
    texts = ("id", "label", "family", "sex", "inheritance", "onset", "disorders", "until", "collection")
    return CaseForm(
        **{name: fields.get(name, "").strip()[: _MOST_LETTERS.get(name, _MOST_OF_A_NAME)] for name in texts},
        test="test" in fields,
        features=features,
        genes=genes,
        circle=fields.get("circle", Circle.NONE.value),  # what is not said is not shared
        level=fields.get("level", Level.MINIMAL.word),
        own_contact=fields.get("contact", "own") == "own",
    )


def form_of_case(case: Case) -> CaseForm:
    """Return a case as a form."""
    patient, sharing = case.patient, case.sharing
    if patient is None:
        raise ValueError("a withdrawn case has no form")
    return CaseForm(
        id=case.id,
        label=patient.label or "",
        family=case.family or "",
        sex=patient.sex or "",
        inheritance=patient.inheritance_mode or "",
        onset=patient.age_of_onset or "",
        disorders=", ".join(one.id for one in patient.disorders),
        test=patient.test,
        features=tuple(FeatureRow(one.id, one.observed == "yes", one.age_of_onset or "") for one in patient.features),
        genes=tuple(_row_of(one) for one in patient.genomic_features),
        circle=sharing.circle.value,
        level=sharing.level.word,
        until=sharing.until.isoformat() if sharing.until else "",
        collection=sharing.collection or "",
        own_contact=sharing.own_contact,
    )


def _row_of(feature: GenomicFeature) -> GeneRow:
    variant = shown_variant(feature.variant) if feature.variant else ""
    return GeneRow(feature.gene.name or feature.gene.id, variant, str(feature.zygosity or ""))


def patient_of(
    form: CaseForm, contact: Contact, ontology: Ontology, genes: GeneTable, before: Patient | None = None
) -> Patient:
    """Return the patient that a form tells of; what `before` had, and the form does not show, stays.

    Errors: InvalidRequest, each problem by the field it is about.
    """
    problems: list[Problem] = []
    kept = {_row_of(one): one.to_json() for one in before.genomic_features} if before else {}
    diagnosed = {one.id: one.to_json() for one in before.disorders} if before else {}
    unknown = {one.id: one.label for one in before.features if one.id not in ontology} if before else {}
    content: dict[str, Any] = {
        "id": form.id,
        "contact": contact.to_json(),
        "features": [_feature(row, ontology, unknown, problems) for row in form.features],
        "genomicFeatures": [kept.get(row) or _gene(row, genes, problems) for row in form.genes],
        "disorders": [diagnosed.get(one, {"id": one}) for one in _disorders(form.disorders, problems)],
    }
    told = {"label": form.label, "sex": form.sex, "inheritanceMode": form.inheritance, "ageOfOnset": form.onset}
    content.update({name: value for name, value in told.items() if value})
    if form.test:
        content["test"] = True
    if before and before.species:
        content["species"] = before.species
    if before and not form.sex and before.sex not in SEXES:
        content["sex"] = before.sex
    if not form.id:
        problems.append(Problem("id", "is missing: by what do you know this case? By no name, and no record's number"))
    if not (form.features or form.genes):
        problems.append(Problem("features", "at least one term, or one gene"))
    if problems:
        raise InvalidRequest(*problems)
    return validate(Patient, content)


def _feature(
    row: FeatureRow, ontology: Ontology, unknown: Mapping[str, str | None], problems: list[Problem]
) -> dict[str, str]:
    """Return a term of the form; one that this HPO does not know may stay where it was, and not be new."""
    label = ontology.label(row.id) or unknown.get(row.id)
    if label is None and row.id not in unknown:
        problems.append(Problem("features", f"{row.id[:20]} is no term of HPO {ontology.version}"))
    told = {"id": row.id, "label": label or "", "observed": "yes" if row.observed else "no"}
    return {**told, **({"ageOfOnset": row.onset} if row.onset else {})}


def _gene(row: GeneRow, genes: GeneTable, problems: list[Problem]) -> dict[str, Any]:
    found = genes.resolve(row.gene)
    if found.gene is None:
        may_be = ", ".join(gene.symbol for gene in found.candidates)
        said = f"{row.gene[:40]} may be {may_be}: say which" if may_be else f"{row.gene[:40]} is no known gene"
        problems.append(Problem("genes", said))
        return {}
    told: dict[str, Any] = {"gene": {"id": genes.preferred_id(found.gene), "_geneName": found.gene.symbol}}
    if row.variant.strip():
        try:
            told["variant"] = read_variant(row.variant).to_json()
        except InvalidRequest as error:
            problems += [Problem(f"variant of {found.gene.symbol}", one.message) for one in error.problems]
    if row.zygosity in {"1", "2"}:
        told["zygosity"] = int(row.zygosity)
    return told


def _disorders(text: str, problems: list[Problem]) -> list[str]:
    found: list[str] = []
    if len(text) > _MOST_OF_DISORDERS:  # the last one may have been cut to another
        problems.append(Problem("disorders", f"at most {_MOST_OF_DISORDERS} letters"))
    for one in (part.strip() for part in re.split(r"[,;\n]", text)):
        match = _DISORDER.fullmatch(one)
        if match:
            found.append(f"{'MIM' if 'MIM' in one.upper() else 'Orphanet'}:{match[1].upper()}")
        elif one and len(problems) < _MOST_PROBLEMS:
            problems.append(Problem("disorders", f"{one[:40]}: expected ids such as MIM:614923 or ORPHA:308410"))
    return list(dict.fromkeys(found))


def sharing_of_form(form: CaseForm, before: Sharing | None = None) -> Sharing:
    """Return the sharing that a form tells of; what it does not show stays as `before`. Errors: InvalidRequest."""
    problems: list[Problem] = []
    until: date | None = None
    if form.until:
        try:
            until = date.fromisoformat(form.until)
        except ValueError:
            problems.append(Problem("until", "expected a day such as 2027-01-31"))
    circles, levels = {one.value: one for one in Circle}, {one.word: one for one in Level}
    if form.circle not in circles or (form.circle == Circle.NAMED and not before):
        problems.append(Problem("circle", "say with whom the case is shared"))
    if form.level not in levels:
        problems.append(Problem("level", "say how much of the case is shown"))
    if problems:
        raise InvalidRequest(*problems)
    kept = before or Sharing()
    circle = circles[form.circle]
    named = circle is Circle.NAMED
    return Sharing(
        circle,
        levels[form.level],
        kept.countries if named else (),
        kept.nodes if named else (),
        until,
        form.collection or None,
        form.own_contact,
        kept.genes,
    )
