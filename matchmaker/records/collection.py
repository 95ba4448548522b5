"""A collection of cases of one institution, as the 1+MG survey on accessible genomes (July 2020) describes it."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

from matchmaker.mme.patient import Contact, Text, Value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise PydanticCustomError("name", "expected letters, digits, dots, dashes or underscores, up to 63")
    return value


def _day(value: object) -> object:
    """Take a day as TOML has it, too."""
    if isinstance(value, date):
        return value.isoformat()
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise PydanticCustomError("day", "expected a day such as 2030-12-31")


Name = Annotated[str, AfterValidator(_name)]
Words = Annotated[str, Field(max_length=2_000)]
LegalBasis = Literal["yes", "no", "no, but re-consenting is possible", "don't know"]
Answer = Literal["yes", "no", "don't know"]
GeneticData = Literal["WGS", "WES", "clinical exome", "arrays"]
ClinicalData = Literal["clinical information", "treatment", "response", "lifestyle", "socio-economic status"]

# The Data Use Ontology's codes that say for what data may be used (doi:10.1016/j.xgen.2021.100028).
DATA_USE = {
    "DUO:0000004": "no restriction",
    "DUO:0000006": "health or medical or biomedical research",
    "DUO:0000007": "disease specific research",
    "DUO:0000011": "population origins or ancestry research only",
    "DUO:0000012": "research specific restrictions",
    "DUO:0000015": "no general methods research",
    "DUO:0000016": "genetic studies only",
    "DUO:0000018": "not for profit, non commercial use only",
    "DUO:0000019": "publication required",
    "DUO:0000020": "collaboration required",
    "DUO:0000021": "ethics approval required",
    "DUO:0000022": "geographical restriction",
    "DUO:0000024": "publication moratorium",
    "DUO:0000025": "time limit on use",
    "DUO:0000026": "user specific restriction",
    "DUO:0000027": "project specific restriction",
    "DUO:0000028": "institution specific restriction",
    "DUO:0000029": "return to database or resource",
    "DUO:0000042": "general research use",
    "DUO:0000043": "clinical care use",
    "DUO:0000044": "population origins or ancestry research prohibited",
    "DUO:0000045": "not for profit organisation use only",
    "DUO:0000046": "non-commercial use only",
}


def _known_code(code: str) -> str:
    if code not in DATA_USE:
        raise PydanticCustomError("duo", "expected a code of the Data Use Ontology, such as DUO:0000042")
    return code


DataUse = Annotated[str, AfterValidator(_known_code)]


class Collection(Value):
    """The survey's answers. What is not answered is not known, and what is not known counts as no.

    `until` is the last day of a time limit on use, an ISO date in UTC.
    """

    name: Name
    institution: Text
    title: Words | None = None
    main_purpose: Literal["clinical", "research", "other"] | None = None
    genetic_data: Annotated[tuple[GeneticData, ...], Strict(False), Field(max_length=10)] = ()
    clinical_data: Annotated[tuple[ClinicalData, ...], Strict(False), Field(max_length=10)] = ()
    subjects: Annotated[int, Field(ge=0, le=10**9)] | None = None
    storage: Literal["centralised", "federated"] | None = None
    subjects_identified_by: Words | None = None
    phenotypes_linked_to: Words | None = None
    phenotype_form: Annotated[
        tuple[Literal["free text", "structured", "dates"], ...], Strict(False), Field(max_length=10)
    ] = ()
    data_quality: Words | None = None
    legal_basis: LegalBasis = "don't know"
    future_research: Answer = "don't know"
    benefit_of_others: Answer = "don't know"
    data_use: Annotated[tuple[DataUse, ...], Strict(False), Field(max_length=len(DATA_USE))] = ()
    until: Annotated[str, BeforeValidator(_day)] | None = None
    contact: Contact
