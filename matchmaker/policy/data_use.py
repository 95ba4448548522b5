"""What a collection's legal basis, consent and data-use terms allow. What is not known counts as no.

The codes are those of the Data Use Ontology (Lawson et al. 2021, doi:10.1016/j.xgen.2021.100028).
"""

from datetime import date

from matchmaker.records.collection import Collection
from matchmaker.records.party import Purpose

# Permissions: where any is stated, the asker's purpose must be among those that one of them permits.
PERMITTED: dict[str, frozenset[Purpose]] = {
    "DUO:0000004": frozenset(Purpose),
    "DUO:0000042": frozenset({Purpose.RESEARCH}),
    "DUO:0000006": frozenset({Purpose.RESEARCH}),
    "DUO:0000007": frozenset(),  # a disease that no question states
    "DUO:0000011": frozenset(),
    "DUO:0000043": frozenset({Purpose.CLINICAL}),
}
# Conditions on what is done with an answer, or met by what the exchange is: they do not forbid one.
HARMLESS = frozenset(
    {
        "DUO:0000015",  # no methods are developed with an answer
        "DUO:0000016",  # matching is genetic study
        "DUO:0000019",
        "DUO:0000020",  # both sides are brought together
        "DUO:0000024",
        "DUO:0000029",
        "DUO:0000044",
        "DUO:0000046",  # no purpose that can be agreed on is commercial
    }
)
COUNTRY_ONLY, INSTITUTION_ONLY, TIME_LIMIT = "DUO:0000022", "DUO:0000028", "DUO:0000025"
# All others ask for what nobody here can know of an asker: its ethics approval, its project, whether it is for profit.


def collection_allows(
    collection: Collection, purpose: Purpose, today: date, *, own_institution: bool, compatriot: bool
) -> bool:
    """Tell whether a case of this collection may be told to somebody with this purpose, today (in UTC).

    `own_institution`: the asker is of the case's own; `compatriot`: of the node's country.
    """
    if collection.legal_basis != "yes":
        return False
    consent = collection.benefit_of_others if purpose is Purpose.CLINICAL else collection.future_research
    if consent != "yes":
        return False
    if collection.until is not None and today.isoformat() > collection.until:
        return False
    codes = frozenset(collection.data_use)
    permissions = codes & PERMITTED.keys()
    if permissions and not any(purpose in PERMITTED[code] for code in permissions):
        return False
    met = {COUNTRY_ONLY: compatriot, INSTITUTION_ONLY: own_institution, TIME_LIMIT: collection.until is not None}
    return all(code in HARMLESS or met.get(code, False) for code in codes - permissions)
