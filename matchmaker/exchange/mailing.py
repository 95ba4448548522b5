"""Mailing: alerts that wait -> mails -> people. No mail is sent inside a request.

    gather   whoever is due a mail gets one made of all that waits for him; from then on it has its Message-ID
    send     one mail, by lease: again with growing waits on a passing error, given up on a final one, shown either way
    notice   who was told of a case that was withdrawn is told so

A worker that dies between the mail server's answer and our note of it sends the mail again, with the same Message-ID.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from matchmaker.alerts import compose, schedule
from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.delivery import Delivery, Outcome, Transport
from matchmaker.alerts.links import Links
from matchmaker.exchange.batches import batches
from matchmaker.exchange.config import Config
from matchmaker.exchange.following import Following
from matchmaker.exchange.working import Done
from matchmaker.exchange.world import World
from matchmaker.policy.levels import contact_of
from matchmaker.policy.names import name_for
from matchmaker.policy.turns import share
from matchmaker.records.alert import Alert, Mail, MailKind, MailState, News, Role
from matchmaker.records.case import Case
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.match import Match
from matchmaker.records.work import Work
from matchmaker.store.base import Store, StoreError

logger = logging.getLogger(__name__)

_AT_ONCE = 200  # mails that are made in one transaction
_DAY_SECONDS = 86_400.0
_MOST_DETAILS = 8
_NO_CHOICES = Choices()


@dataclass(frozen=True)
class Mailing:
    """Makes and sends mails."""

    config: Config
    store: Store
    following: Following
    links: Links
    catalogues: Catalogues
    world: World

    async def gather(self) -> int:
        """Make the mails that are due; return how many."""
        now = self.world.now()
        waiting = await self.store.waiting(now, now - schedule.WEEK)
        directory, wait = self.following.directory, self.config.alerts.gather_seconds
        due = []
        for one in waiting:
            at = schedule.due_at(one, directory.choices.get(one.recipient, _NO_CHOICES).frequency, wait)
            if at is not None and at <= now and self._wants_mails(one.recipient):
                due.append(one.recipient)
        made = 0
        for some in batches(due, _AT_ONCE):
            mails = [
                Mail(
                    id=self.world.new_id(),
                    recipient=one,
                    kind=MailKind.MATCHES,
                    created_at=now,
                    due=now,
                    token=self.links.token(one),
                )
                for one in some
            ]
            made += await self.store.gather(mails, now)
        return made

    def _wants_mails(self, address: str) -> bool:
        """Tell whether somebody is to get mails about matches now: neither disabled, nor out, nor snoozing."""
        directory = self.following.directory
        person, chosen = directory.people.get(address), directory.choices.get(address, _NO_CHOICES)
        if chosen.frequency is Frequency.NEVER or (person is not None and person.disabled_at is not None):
            return False
        return chosen.snoozed_until is None or chosen.snoozed_until <= self.world.now()

    def warm_up(self) -> None:
        """Compile what mails are made of in every language, so that nobody waits for it."""
        for language in self.catalogues.languages():
            mail = Mail(id="0", recipient="nobody@localhost", kind=MailKind.MATCHES, created_at=0.0)
            compose.test_message(self._envelope(mail, language, subscribed=True), self.catalogues.of(language))
            line = compose.Line("", 0.0, News.FOUND, "")
            envelope = self._envelope(mail, language, subscribed=True)
            compose.matches_message(envelope, (line,), 1, self.catalogues.of(language))

    async def send(self, work: Work, transport: Transport) -> Done:
        """Send one mail, and note what became of it."""
        mail = await self.store.mail(work.subject)
        if mail is None or mail.state is not MailState.WAITING:
            return Done.YES
        now = self.world.now()
        delivery = await self._delivered(mail, transport)
        settled = self._after(mail, delivery) if delivery else schedule.empty(mail, now)
        if settled.state is MailState.SENT and mail.kind is MailKind.WITHDRAWAL and mail.about:
            public_id, _, name = mail.about.partition(" ")
            line = LedgerLine(now, Happened.NOTIFIED, name, public_id, detail="of its withdrawal")
            await self.store.write_ledger([line])  # first: better twice than not at all
        await self.store.settle_mail(settled, work)
        return Done.ALREADY

    async def _delivered(self, mail: Mail, transport: Transport) -> Delivery | None:
        """Write a mail and hand it over; None where nothing is left to say, or nobody wants it any more."""
        if mail.kind is MailKind.MATCHES and not self._wants_mails(mail.recipient):
            return None
        try:
            message = await self._message(mail)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - such as an address that no mail can bear: never tried again
            return Delivery(Outcome.NEVER, f"it cannot be written ({type(error).__name__})")
        return await transport.deliver(message, mail.recipient, mail.id) if message else None

    def _after(self, mail: Mail, delivery: Delivery) -> Mail:
        now, settings = self.world.now(), self.config.mail
        if delivery.outcome is Outcome.TAKEN:
            return schedule.sent(mail, now)
        if delivery.outcome is Outcome.NEVER:
            logger.error("a mail is given up; see: matchmaker mail list")
            return schedule.given_up(mail, delivery.reason, now)
        chance, days = share(f"{mail.id} {mail.attempts}", now), settings.give_up_days
        failed = schedule.after_failure(mail, delivery.reason, now, chance, settings.retry_seconds, days * _DAY_SECONDS)
        logger.warning("a mail is not sent yet, after %d tries; see: matchmaker mail list", failed.attempts)
        return failed

    async def _message(self, mail: Mail) -> EmailMessage | None:
        """Return what a mail says; None where nothing is left to say."""
        if mail.kind is MailKind.WITHDRAWAL:
            public_id, _, name = (mail.about or "").partition(" ")
            envelope = self._envelope(mail, None, subscribed=False)
            words = self.catalogues.of(envelope.language)
            return compose.withdrawal_message(envelope, name_for(name, public_id), words)
        alerts = await self.store.carried(mail.id, compose.MOST_LINES)
        if not alerts:
            return None
        count = len(alerts) if len(alerts) < compose.MOST_LINES else max(mail.alerts, len(alerts))
        lines = [await self._line(one) for one in alerts]
        envelope = self._envelope(mail, self._language_of(mail.recipient), subscribed=True)
        return compose.matches_message(envelope, tuple(lines), count, self.catalogues.of(envelope.language))

    def _language_of(self, address: str) -> str | None:
        directory = self.following.directory
        chosen = directory.choices.get(address, _NO_CHOICES).language
        person = directory.people.get(address)
        return chosen or (person.language if person else None)

    def _envelope(self, mail: Mail, language: str | None, *, subscribed: bool) -> compose.Envelope:
        return compose.Envelope(
            sender=self.config.mail.sender,
            recipient=mail.recipient,
            message_id=message_id(mail.id, self.config.mail.sender),
            at=mail.created_at,
            node=self.config.node.name,
            language=self.catalogues.nearest(language or self.config.alerts.language),
            choices_link=self.links.choices(mail.recipient) if subscribed else None,
            unsubscribe_link=self.links.unsubscribe(mail.recipient) if subscribed else None,
        )

    async def _line(self, alert: Alert) -> compose.Line:
        link = self.links.match(alert.match)
        if alert.role is Role.THEIRS:
            name, href = await self._contact(alert)
            return compose.Line(alert.node, alert.score, alert.news, link, alert.quoted, name, href)
        details: tuple[str, ...] = ()
        if self.config.alerts.form == "complete" and (match := await self.store.match(alert.match)):
            details = complete(match, alert, await self.store.case_known(alert.case))
        return compose.Line(alert.node, alert.score, alert.news, link, details=details)

    async def _contact(self, alert: Alert) -> tuple[str | None, str | None]:
        """Return the contact of our side as the other node is shown it."""
        case = await self.store.case_known(alert.case)
        if case is None or case.patient is None:
            return None, None
        collection = self.following.directory.collections.get(case.sharing.collection or "")
        contact = contact_of(case.patient.to_json(), case.sharing, collection)
        return contact.get("name"), contact.get("href")

    async def notice(self, work: Work) -> Done:
        """Queue the mail to a node that was told of a withdrawn case; without an address, the operator is to tell."""
        _, _, name = work.subject.partition(" ")
        clients = {one.name: one for one in await self.store.clients()}
        contact = clients[name].contact if name in clients else None
        now = self.world.now()
        if not contact:
            await self.store.postpone(work, now + _DAY_SECONDS)  # a contact may be added: client change --contact
            return Done.ALREADY
        mail = Mail(
            id=self.world.new_id(),
            recipient=contact.lower(),
            kind=MailKind.WITHDRAWAL,
            created_at=now,
            due=now,
            about=work.subject,
        )
        await self.store.put_mail(mail, work)
        return Done.ALREADY

    async def forget(self) -> None:
        """Forget mails that were settled long ago, what peers have shown of their cases, and matches that faded."""
        now = self.world.now()
        await self.store.forget_mails(now - self.config.mail.keep_days * _DAY_SECONDS)
        await self.store.forget_answers(now - self.config.matches.answers_days * _DAY_SECONDS)
        await self.store.forget_unseen(now - self.config.matches.unseen_days * _DAY_SECONDS)


def message_id(mail_id: str, sender: str) -> str:
    """Return the Message-ID of a mail: the same for every try."""
    return f"<{mail_id}@{sender.rpartition('@')[2]}>"


def complete(match: Match, alert: Alert, case: Case | None) -> tuple[str, ...]:
    """Return what a mail in the complete form says of a match, a line each: health data, as a node's rules demand."""
    lines = [f"{case.id}: {alert.score:.2f}"] if case else []
    lines += [gene.symbol or gene.id for gene in match.genes[:_MOST_DETAILS]]
    terms: Sequence[dict[str, str]] = match.explanation.get("sharedTerms", ())
    lines += [f"{term.get('label') or ''} ({term['id']})".strip() for term in terms[:_MOST_DETAILS]]
    if match.other:
        lines.append(f"{match.other.contact.get('name', '')}, {match.other.contact.get('href', '')}")
    return tuple(lines)
