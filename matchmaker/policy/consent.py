"""Consent: who may learn of a case, and whom it may be asked of. One rule, applied before anything is scored.

A case is told of only if its own sharing and its collection both allow it; what is not known counts as no.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date

from matchmaker.policy.data_use import collection_allows
from matchmaker.records.collection import Collection
from matchmaker.records.party import Client, Peer, Purpose, Role
from matchmaker.records.sharing import Audience, Circle


@dataclass(frozen=True, slots=True)
class Home:
    """The node that is asked: its name and country."""

    node: str
    country: str | None


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. A depositor is the node's own user; without a stated country it belongs to its node's."""

    name: str
    role: Role
    institution: str | None
    country: str | None
    purpose: Purpose

    @classmethod
    def of(cls, client: Client, home: Home) -> "Asker":
        """Return a client as one who asks. A remote node without a country belongs to none."""
        country = client.country or (home.country if client.role is Role.DEPOSITOR else None)
        return cls(client.name, client.role, client.institution, country, client.purpose)

    @classmethod
    def stranger(cls) -> "Asker":
        """Return somebody of whom nothing is known: the public, where cases are only counted."""
        return cls("", Role.NODE, None, None, Purpose.CLINICAL)


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a case, and its institution; one without an institution stands for itself."""

    name: str
    institution: str | None


def why_not(
    asker: Asker,
    audience: Audience,
    owner: Owner,
    collection: Collection | None,
    home: Home,
    today: date,
    *,
    test_query: bool,
) -> str | None:
    """Return what stands against it that `asker` learns of cases of this audience, for the owner's eyes; None: nothing.

    `today` is the day in UTC. `collection` is the one that the audience names, None where it names none or there is
    none of that name: then nobody but the owner learns of the case. Test cases are found by test queries only.
    """
    if audience.test and not test_query:
        return "it is a test"
    if owns(asker, audience.owner):
        return None
    if audience.until is not None and today > audience.until:
        return f"the case was shared until {audience.until.isoformat()}"
    if not _within(asker, audience, owner, home):
        return f"the case is shared with {_CIRCLES[audience.circle]}"
    if audience.collection is not None:
        own = asker.role is Role.DEPOSITOR and same_institution(asker.institution, owner.institution)
        compatriot = home.country is not None and asker.country == home.country
        of_the_owner = collection is not None and same_institution(
            collection.institution, owner.institution or owner.name
        )
        if not (collection and of_the_owner) or not collection_allows(
            collection, asker.purpose, today, own_institution=own, compatriot=compatriot
        ):
            return f"the collection {audience.collection} does not allow it" if of_the_owner else _NO_COLLECTION
    return None


_NO_COLLECTION = "its institution has no collection of the name that the case states"
_CIRCLES = {
    Circle.NONE: "nobody",
    Circle.INSTITUTION: "its own institution only",
    Circle.COUNTRY: "its own country only",
    Circle.NAMED: "named countries and nodes only",
    Circle.ALL: "all",
}


def _within(asker: Asker, audience: Audience, owner: Owner, home: Home) -> bool:
    """Tell whether the asker stands in the circle with which the owner shares."""
    node = asker.name if asker.role is Role.NODE else home.node
    inside = {
        Circle.NONE: False,
        Circle.INSTITUTION: asker.role is Role.DEPOSITOR and same_institution(asker.institution, owner.institution),
        Circle.COUNTRY: home.country is not None and asker.country == home.country,
        Circle.NAMED: asker.country in audience.countries or node in audience.nodes,
        Circle.ALL: True,
    }
    return inside[audience.circle]


def same_institution(one: str | None, other: str | None) -> bool:
    """Tell whether two institutions are the same; case and blanks do not count, and an unknown one is nobody's."""
    first, second = (" ".join((name or "").casefold().split()) for name in (one, other))
    return bool(first) and first == second


def owns(asker: Asker | Client, owner: str) -> bool:
    """Tell whether `asker` is the owner of that name: a depositor, not a node that came to bear the same name."""
    return asker.role is Role.DEPOSITOR and asker.name == owner


def as_asker(peer: Peer, client: Client | None) -> Asker:
    """Return a peer that is asked as one who asks: a question tells it as much as a match would.

    `client` is the client of the same name, with which its purpose was agreed; None where it may not ask us.
    """
    purpose = client.purpose if client else Purpose.CLINICAL
    return Asker(peer.name, Role.NODE, client.institution if client else None, peer.country, purpose)


@dataclass(frozen=True, slots=True)
class Eligible:
    """The rule, `why_not`, for one asker on one day, over audiences. Equal ones answer alike.

    `known` is a number that is another one whenever collections or institutions have changed.
    """

    asker: Asker
    home: Home
    today: date
    test_query: bool
    known: int
    collections: Mapping[str, Collection] = field(compare=False)
    institutions: Mapping[str, str | None] = field(compare=False)

    def __call__(self, audience: Hashable) -> bool:
        """Tell whether the asker may learn of cases of an audience."""
        return isinstance(audience, Audience) and self.why_not(audience) is None

    def why_not(self, audience: Audience) -> str | None:
        """Return what stands against it, or None."""
        owner = Owner(audience.owner, self.institutions.get(audience.owner))
        collection = self.collections.get(audience.collection) if audience.collection else None
        return why_not(self.asker, audience, owner, collection, self.home, self.today, test_query=self.test_query)
