"""People: who works with a node's cases, or runs it. Named by an e-mail address."""

from enum import StrEnum

from matchmaker.records.kept import Record


class PersonRole(StrEnum):
    """A clinician has cases, a curator sees those of an institution, an operator runs the node and sees none."""

    CLINICIAN = "clinician"
    CURATOR = "curator"
    OPERATOR = "operator"


class Person(Record):
    """A person of an institution. `email` in lower case; `language` as BCP 47 has it, such as es.

    One who is disabled owns cases still, gets no alerts, and cannot sign in. `waiting`: asked to be let in, and is
    disabled until an operator approves. `agreed_at` is when the end-user agreement was accepted, in the version
    `agreed_to` (a digest of its text). `name` is what the person is called by.
    """

    email: str
    institution: str
    role: PersonRole
    language: str = "en"
    created_at: float = 0.0
    disabled_at: float | None = None
    waiting: bool = False
    agreed_at: float | None = None
    agreed_to: str | None = None
    name: str | None = None


def address_of(email: str) -> str:
    """Return an address as people are named by it: no mail server tells two people apart by capital letters."""
    return email.strip().lower()
