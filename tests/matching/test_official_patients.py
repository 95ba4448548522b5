"""The fifty official test patients: the partner with the same disorder comes first. Conformance, not quality."""

from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import official_patients


def test_the_partner_with_the_same_disorder_comes_first(real_knowledge: Knowledge) -> None:
    patients = [validate(Patient, patient) for patient in official_patients()]
    disorders = {patient.id: {disorder.id for disorder in patient.disorders} for patient in patients}
    index = CaseIndex(real_knowledge.information)
    for patient in patients:
        index.add(patient.id, real_knowledge.profile(patient), None)
    asked = 0
    for patient in patients:
        if any(disorders[patient.id] & disorders[other.id] for other in patients if other.id != patient.id):
            asked += 1
            (best,) = index.search(real_knowledge.profile(patient), 1, leave_out=frozenset({patient.id}))
            assert disorders[best.key] & disorders[patient.id], f"{patient.id} finds {best.key} first"
    assert asked >= 30
