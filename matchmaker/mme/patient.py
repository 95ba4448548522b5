"""The patient as nodes exchange it (MME search-api, 1.0 and 1.1), as frozen values that validate themselves.

Strict where the standard is: types are never coerced, identifiers have their form. Unknown fields are ignored,
null means absent, and an unknown but well-formed HPO or gene id is no error.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Strict,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError

MAX_FEATURES = 1_000
MAX_GENOMIC_FEATURES = 1_000
MAX_DISORDERS = 100
_MAX_URL = 2_048
_MAX_BASES = 100_000  # published deletions are written out with up to 46,000 bases
_LAST_POSITION = 2**31 - 1  # no chromosome is longer
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ADDRESS = re.compile(r"[^\s@,<>\"'()\\]+@[^\s@,<>\"'()\\]+")


def _no_nulls(value: Any) -> Any:
    """Null means absent: many nodes write every optional field."""
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def _shaped(pattern: str, expected: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError("shape", "expected {expected}", {"expected": expected})
        return value

    return AfterValidator(check)


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control", "holds a control character; expected plain text")
    return value


def _plain(value: str) -> str:
    if not _one_line(value).strip():
        raise PydanticCustomError("blank", "is blank; expected some text")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        reachable = bool(parts.hostname)
    except ValueError:
        raise PydanticCustomError("url", "is not a URL") from None
    if re.search(r"\s", value) or _CONTROL.search(value):
        raise PydanticCustomError("url", "holds white space or a control character; expected a URL")
    if parts.scheme in {"http", "https"} and reachable:
        return value
    if parts.scheme == "mailto" and all(_ADDRESS.fullmatch(unquote(one)) for one in parts.path.split(",")):
        return value
    raise PydanticCustomError("url", "expected a URL: http://…, https://… or mailto:name@host")


def _listed(value: Any) -> Any:
    """A draft 1.2 allows a list of addresses where 1.1 has one: keep them all in one form."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_plain)]
Label = Annotated[str, Field(max_length=255)]
Hpo = Annotated[str, _shaped(r"HP:\d{7}", "an HPO id: HP: and seven digits, such as HP:0000252")]
Url = Annotated[str, Field(max_length=_MAX_URL), AfterValidator(_url)]
Email = Annotated[str, Field(max_length=320), _shaped(_ADDRESS.pattern, "an e-mail address")]
_EMAIL_SCHEMA = {"type": "string", "maxLength": 320}
Bases = Annotated[
    str,
    Field(max_length=_MAX_BASES),
    _shaped(r"[A-Za-z]+|[-.*]|<[A-Za-z0-9:_]+>", "bases such as A or ACG, or an allele such as <DEL>"),
]
Assembly = Annotated[
    str,
    _shaped(r"(NCBI36|GRCh37|GRCh38)(\.p\d{1,2})?", "NCBI36, GRCh37 or GRCh38, with or without a patch like .p13"),
]
Chromosome = Annotated[str, _shaped(r"[1-9]|1\d|2[0-2]|X|Y|MT|M", "a chromosome without prefix: 1 to 22, X, Y or MT")]
Position = Annotated[int, Field(ge=0, le=_LAST_POSITION)]


class Value(BaseModel):
    """Base of the exchange's values: frozen, strict, camelCase outside, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        return _no_nulls(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Say in the schema, too, that null means absent."""
        made = handler(schema)
        inner = handler.resolve_ref_schema(made)
        for name, field in inner.get("properties", {}).items():
            if name not in inner.get("required", ()) and {"type": "null"} not in field.get("anyOf", ()):
                outer = {key: field.pop(key) for key in ("title", "default", "description") if key in field}
                inner["properties"][name] = {"anyOf": [field, {"type": "null"}], **outer}
        return made

    def to_json(self) -> dict[str, Any]:
        """Return the value as the exchange writes it: camelCase, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Contact(Value):
    """Whom to write to about a match (MME search-api, Contact)."""

    name: Text
    href: Url
    institution: Annotated[str, Field(max_length=255), AfterValidator(_one_line)] | None = None
    email: (
        Annotated[
            tuple[Email, ...],
            BeforeValidator(_listed),
            Strict(False),
            Field(max_length=20),
            WithJsonSchema({"anyOf": [_EMAIL_SCHEMA, {"type": "array", "items": _EMAIL_SCHEMA, "maxItems": 20}]}),
        ]
        | None
    ) = None
    roles: (
        Annotated[tuple[Literal["clinician", "researcher", "patient"], ...], Strict(False), Field(max_length=10)] | None
    ) = None

    @field_validator("email", mode="after")
    @classmethod
    def _none_is_absent(cls, email: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return email or None

    @field_serializer("email")
    def _one_or_many(self, email: tuple[str, ...] | None) -> str | list[str] | None:
        """Write one address as 1.1 has it."""
        return email[0] if email and len(email) == 1 else list(email) if email else None


class Feature(Value):
    """A phenotypic feature. MME search-api, Features: an omitted `observed` means yes."""

    id: Hpo
    label: Annotated[str, Field(max_length=1_000)] | None = None
    observed: Literal["yes", "no"] = "yes"
    age_of_onset: Hpo | None = None


class Gene(Value):
    """A gene by Ensembl id, Entrez id or symbol; `_geneName` is an answering node's own addition."""

    id: Text
    name: str | None = Field(default=None, alias="_geneName", max_length=255)


class Variant(Value):
    """A variant: `start` 0-based, `end` exclusive (MME search-api, Genomic features).

    `start` is mandatory, but two of the fifty official test patients lack it: see GenomicFeature.
    """

    assembly: Assembly
    reference_name: Chromosome
    start: Position | None = None
    end: Position | None = None
    reference_bases: Bases | None = None
    alternate_bases: Bases | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_empty_bases(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {k: item for k, item in value.items() if not (item == "" and k in {"referenceBases", "alternateBases"})}

    @model_validator(mode="after")
    def _end_after_start(self) -> "Variant":
        if self.start is not None and self.end is not None and self.end < self.start:
            raise PydanticCustomError("range", "end is before start; expected end to be exclusive and not smaller")
        return self


class VariantType(Value):
    """What a variant does, as a Sequence Ontology term."""

    id: Annotated[str, _shaped(r"SO:\d{7}", "a Sequence Ontology id: SO: and seven digits")]
    label: Annotated[str, Field(max_length=1_000)] | None = None


class GenomicFeature(Value):
    """A candidate gene, and the variant in it where it is known."""

    gene: Gene
    variant: Variant | None = None
    zygosity: Annotated[int, Field(ge=1, le=2)] | None = None
    type: VariantType | None = None

    @field_validator("variant", mode="after")
    @classmethod
    def _variant_needs_a_start(cls, variant: Variant | None) -> Variant | None:
        """Take a variant without `start` as absent: nobody can say which it is."""
        return None if variant is None or variant.start is None else variant


class Disorder(Value):
    """A diagnosis by OMIM or Orphanet id. Its label may be long: an official test patient's has 492 characters."""

    id: Annotated[str, _shaped(r"MIM:\d{1,7}|Orphanet:C?\d{1,7}", "MIM: or Orphanet: and digits, such as MIM:614923")]
    label: Annotated[str, Field(max_length=1_000)] | None = None


class Patient(Value):
    """One patient: mandatory id, contact, and at least one of features and genomicFeatures."""

    id: Text
    label: Label | None = None
    contact: Contact
    species: Annotated[str, _shaped(r"NCBITaxon:\d{1,9}", "a taxon such as NCBITaxon:9606")] | None = None
    sex: Literal["FEMALE", "MALE", "OTHER", "MIXED_SAMPLE", "NOT_APPLICABLE"] | None = None
    age_of_onset: Hpo | None = None
    inheritance_mode: Hpo | None = None
    disorders: Annotated[tuple[Disorder, ...], Strict(False), Field(max_length=MAX_DISORDERS)] = ()
    features: Annotated[tuple[Feature, ...], Strict(False), Field(max_length=MAX_FEATURES)] = ()
    genomic_features: Annotated[tuple[GenomicFeature, ...], Strict(False), Field(max_length=MAX_GENOMIC_FEATURES)] = ()
    test: bool = False

    @model_serializer(mode="wrap")
    def _without_empties(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what says nothing: empty lists, and `test` unless it is true."""
        return {key: item for key, item in write(self).items() if item not in ([], (), False)}

    @model_validator(mode="after")
    def _says_something(self) -> "Patient":
        if not (self.features or self.genomic_features):
            raise PydanticCustomError("empty", "expected at least one of features and genomicFeatures")
        return self
