"""Whatever is sent, the validator accepts a patient or names a path; nothing else comes out of it."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.mme.errors import RequestError
from matchmaker.mme.messages import MatchQuery
from matchmaker.mme.patient import Patient
from matchmaker.mme.strict_json import parse
from matchmaker.mme.validation import validate
from tests.samples import official_patients, patient_json, variant_json

RUBBISH: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just({"$gt": ""}), st.just([]), st.just({}),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    st.just("HP:0000252"), st.just("x" * 300), st.just([["HP:0000252"]]),
)  # fmt: skip
WHOLE = patient_json(
    genomicFeatures=[{"gene": {"id": "BCKDK"}, "zygosity": 2, "type": {"id": "SO:0001583"}, "variant": variant_json()}],
    disorders=[{"id": "MIM:614923"}],
    sex="MALE",
    ageOfOnset="HP:0003593",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(places(WHOLE)), RUBBISH)
def test_rubbish_in_any_place_is_accepted_or_named(place: tuple[Any, ...], rubbish: Any) -> None:
    body = json.dumps({"patient": replaced(WHOLE, place, rubbish)})
    try:
        patient = validate(MatchQuery, parse(body)).patient
    except RequestError as error:
        assert 400 <= error.status < 500
        assert error.problems
        assert all(problem.path == "" or problem.path.startswith("patient") for problem in error.problems)
    else:
        assert validate(Patient, patient.to_json()) == patient, "what is accepted can be written and read again"


@settings(deadline=None)
@given(st.sampled_from(official_patients()), st.dictionaries(st.text(max_size=5), RUBBISH, max_size=3))
def test_unknown_fields_never_matter(patient: dict[str, Any], unknown: dict[str, Any]) -> None:
    strange = {key: value for key, value in unknown.items() if key not in Patient.model_json_schema()["properties"]}
    assert validate(Patient, {**strange, **patient}) == validate(Patient, patient)
