"""The fifty official test patients: the partner with the same disorder comes first. Conformance, not quality."""

from dataclasses import replace

from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import official_patients


def test_the_partner_with_the_same_disorder_comes_first(real_knowledge: Knowledge) -> None:
    patients = [validate(Patient, patient) for patient in official_patients()]
    disorders = {patient.id: {disorder.id for disorder in patient.disorders} for patient in patients}
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration)
    for key, patient in enumerate(patients):  # their disorders would tell it all
        index.add(key, replace(real_knowledge.profile(patient), disorders=frozenset()), None)
    asked = 0
    for key, patient in enumerate(patients):
        if any(disorders[patient.id] & disorders[other.id] for other in patients if other.id != patient.id):
            asked += 1
            (best,) = index.search(real_knowledge.profile(patient), 1, leave_out={key})
            found = patients[best.key].id
            assert disorders[found] & disorders[patient.id], f"{patient.id} finds {found} first"
    assert asked >= 30
