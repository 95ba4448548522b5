"""What people choose to be alerted of, for themselves and for each case; by their hospital's token or a mail's link."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from gettext import NullTranslations
from typing import Any, cast

from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.links import Links
from matchmaker.exchange.following import Following
from matchmaker.exchange.match_messages import CaseAlerts, PersonAlerts
from matchmaker.mme.errors import InvalidRequest, NotFound, Problem
from matchmaker.policy.consent import same_institution
from matchmaker.policy.news import NONE_CHOSEN
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.party import Client
from matchmaker.records.person import Person, address_of
from matchmaker.store.base import Store

_YEAR_3000 = 32_503_680_000.0


@dataclass(frozen=True)
class Choosing:
    """Reads and keeps choices."""

    store: Store
    following: Following
    links: Links
    catalogues: Catalogues
    _tokens: list[object] = field(default_factory=lambda: [None, {}])  # as of which directory, and whose they are

    def words(self, language: str | None) -> tuple[NullTranslations, str]:
        """Return what the node says in the language nearest to a wanted one, and which that is."""
        return self.catalogues.of(language), self.catalogues.nearest(language)

    def words_of(self, address: str) -> tuple[NullTranslations, str]:
        """Return what the node says in the language of an address."""
        directory = self.following.directory
        person, chosen = directory.people.get(address), directory.choices.get(address, NONE_CHOSEN)
        return self.words(chosen.language or (person.language if person else None))

    async def of_case(self, owner: Client, case_id: str) -> CaseAlerts:
        """Return what the owner of a case wants to be alerted of. Errors: NotFound."""
        return _case_alerts(self.following.directory.choices.get(await self._public_id(owner, case_id), NONE_CHOSEN))

    async def set_of_case(self, owner: Client, case_id: str, wanted: CaseAlerts) -> CaseAlerts:
        """Keep what the owner of a case wants to be alerted of. Errors: NotFound, InvalidRequest."""
        public_id = await self._public_id(owner, case_id)
        choices = Choices(**_common(wanted), muted=wanted.muted)
        await self.store.put_choices(public_id, choices)
        await self.following.catch_up()
        return _case_alerts(choices)

    async def _public_id(self, owner: Client, case_id: str) -> str:
        case = await self.store.case(owner.name, case_id)
        if case is None or case.withdrawn:
            raise NotFound(f"there is no case {case_id!r} of yours")
        return case.public_id

    async def of_person(self, owner: Client, email: str) -> PersonAlerts:
        """Return what a person of the owner's institution wants to be alerted of. Errors: NotFound."""
        return await self.of_address(self._colleague(owner, email).email)

    async def set_of_person(self, owner: Client, email: str, wanted: PersonAlerts) -> PersonAlerts:
        """Keep what a person of the owner's institution wants to be alerted of. Errors: NotFound, InvalidRequest."""
        return await self.set_of_address(self._colleague(owner, email).email, wanted)

    def _colleague(self, owner: Client, email: str) -> Person:
        person = self.following.directory.people.get(address_of(email))
        if person is None or not same_institution(person.institution, owner.institution or owner.name):
            raise NotFound(f"there is nobody {email!r} of your institution")
        return person

    async def of_address(self, address: str) -> PersonAlerts:
        """Return what an address wants to be alerted of."""
        choices = self.following.directory.choices.get(address, NONE_CHOSEN)
        return PersonAlerts(frequency=choices.frequency.value, language=choices.language, **_shown(choices))

    async def set_of_address(self, address: str, wanted: PersonAlerts) -> PersonAlerts:
        """Keep what an address wants to be alerted of. Errors: InvalidRequest."""
        frequency = Frequency(wanted.frequency)
        choices = Choices(**_common(wanted), frequency=frequency, language=wanted.language)
        await self.store.put_choices(address, choices)
        await self.following.catch_up()
        return await self.of_address(address)

    async def unsubscribe(self, address: str) -> None:
        """Alert an address of nothing more."""
        choices = self.following.directory.choices.get(address, NONE_CHOSEN)
        await self.store.put_choices(address, choices.model_copy(update={"frequency": Frequency.NEVER}))
        await self.following.catch_up()

    async def address_of(self, token: str) -> str:
        """Return whose link it is. Errors: NotFound, for every link that is nobody's."""
        if not self.links.is_token(token):
            raise _nobodys()
        address = self._known().get(token) or await self.store.recipient(token)
        if address is None:
            raise _nobodys()
        return address

    def _known(self) -> Mapping[str, str]:
        """Return the people's tokens, made anew when the people have changed."""
        directory = self.following.directory
        if self._tokens[0] is not directory:
            self._tokens[:] = [directory, {self.links.token(address): address for address in directory.people}]
        return cast(Mapping[str, str], self._tokens[1])


def _nobodys() -> NotFound:
    return NotFound("this link is nobody's, or of a mail from long ago; use one of a newer mail")


def _common(wanted: CaseAlerts | PersonAlerts) -> dict[str, Any]:
    return {
        "min_score": wanted.min_score,
        "min_score_by_phenotype": wanted.min_score_by_phenotype,
        "only_shared_genes": wanted.only_shared_genes,
        "only_new": wanted.only_new,
        "muted_genes": wanted.muted_genes,
        "muted_nodes": wanted.muted_nodes,
        "snoozed_until": _seconds(wanted.snoozed_until),
    }


def _seconds(text: str | None) -> float | None:
    """Return a day or a time, ISO 8601, as seconds since 1970; without a zone it is UTC."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidRequest(Problem("snoozedUntil", "expected a day or a time, such as 2027-01-31")) from None
    if not 0 <= seconds < _YEAR_3000:
        raise InvalidRequest(Problem("snoozedUntil", "expected a day before the year 3000"))
    return seconds


def _shown(choices: Choices) -> dict[str, Any]:
    until = choices.snoozed_until
    return {
        "min_score": choices.min_score,
        "min_score_by_phenotype": choices.min_score_by_phenotype,
        "only_shared_genes": choices.only_shared_genes,
        "only_new": choices.only_new,
        "muted_genes": choices.muted_genes,
        "muted_nodes": choices.muted_nodes,
        "snoozed_until": datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds") if until else None,
    }


def _case_alerts(choices: Choices) -> CaseAlerts:
    return CaseAlerts(**_shown(choices), muted=choices.muted)
