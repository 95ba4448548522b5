"""Match -> message: what a mail says, in text and HTML, in the recipient's language. Pure.

No health data: that there is a match, with which node, how strong in words, and a link behind a login. Where a node's
rules demand more, each line carries details. Strings from outside are escaped; a line break in a header is refused.
"""

import gettext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from matchmaker.records.alert import News

MOST_LINES = 25  # of one mail; the rest is a number and a link
_STRENGTHS = ((0.8, "very strong"), (0.5, "strong"), (0.2, "moderate"), (0.0, "weak"))


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for a text that is translated later
    """Mark a text for translation."""
    return text


_WORDS = tuple(N_(word) for word in ("very strong", "strong", "moderate", "weak"))
_NEWS = {
    News.FOUND: N_("new"),
    News.STRONGER: N_("stronger than before"),
    News.SOLVED: N_("the other side has solved its case and tells what helped"),
}


class _Whole(UnstructuredHeader, BaseHeader):
    """A header that is never folded: a link is no words, and one that was encoded leads nowhere."""

    def fold(self, *, policy: Policy) -> str:
        """Return the whole line (RFC 5322, 2.1.1: of 998 characters at most)."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Whole)
POLICY = SMTP.clone(max_line_length=76, header_factory=_HEADERS)


@dataclass(frozen=True, slots=True)
class Line:
    """One match in a mail. `quoted` and the contact are for another node's people; `details` for the complete form."""

    node: str
    score: float
    news: News
    link: str
    quoted: str | None = None
    contact_name: str | None = None
    contact_href: str | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom, under which Message-ID and when (seconds since 1970), and how to hear less."""

    sender: str
    recipient: str
    message_id: str
    at: float
    node: str
    language: str
    choices_link: str | None = None
    unsubscribe_link: str | None = None


def strength(score: float) -> str:
    """Return how strong a match is, in words."""
    return next(word for least, word in _STRENGTHS if score >= least)


def matches_message(
    envelope: Envelope, lines: tuple[Line, ...], count: int, words: gettext.NullTranslations
) -> EmailMessage:
    """Return the mail about matches: `lines`, the strongest of `count`."""
    if count == 1:
        told = {"strength": words.gettext(strength(lines[0].score)), "node": lines[0].node}
        subject = words.gettext("A %(strength)s match, with %(node)s") % told
    else:
        told_many = {"count": count, "node": envelope.node}
        one, many = N_("%(count)d match, from %(node)s"), N_("%(count)d matches, from %(node)s")
        subject = words.ngettext(one, many, count) % told_many
    shown = [
        {"line": line, "strength": words.gettext(strength(line.score)), "news": words.gettext(_NEWS[line.news])}
        for line in lines
    ]
    theirs = any(line.quoted is not None for line in lines)
    content = {"lines": shown, "more": count - len(lines), "theirs": theirs}
    return _message(envelope, subject, "matches", content, words)


def withdrawal_message(envelope: Envelope, known_as: str, words: gettext.NullTranslations) -> EmailMessage:
    """Return the notice that a case was withdrawn, to a node that was told of it under the id `known_as`."""
    subject = words.gettext("A case was withdrawn at %(node)s") % {"node": envelope.node}
    return _message(envelope, subject, "withdrawal", {"known_as": known_as}, words)


def test_message(envelope: Envelope, words: gettext.NullTranslations) -> EmailMessage:
    """Return a mail that only shows that mails arrive."""
    subject = words.gettext("Test mail from %(node)s") % {"node": envelope.node}
    return _message(envelope, subject, "test", {}, words)


def _message(
    envelope: Envelope, subject: str, template: str, content: dict[str, object], words: gettext.NullTranslations
) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(envelope.node, addr_spec=envelope.sender)
    message["To"] = Address(addr_spec=envelope.recipient)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromtimestamp(envelope.at, UTC))
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: so that nobody's absence answers
    if envelope.unsubscribe_link:
        message["List-Unsubscribe"] = f"<{envelope.unsubscribe_link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    environment = _environment(words)
    told = {**content, "envelope": envelope, "subject": subject}
    message.set_content(environment.get_template(f"{template}.txt").render(told), cte="quoted-printable")
    message.add_alternative(
        environment.get_template(f"{template}.html").render(told), subtype="html", cte="quoted-printable"
    )
    message["Content-Language"] = envelope.language  # now: what stands before goes into the first part
    return message


@lru_cache(maxsize=64)  # compiling templates takes longer than a whole mail
def _environment(words: gettext.NullTranslations) -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=select_autoescape(["html"], default=False),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    return environment


_LOADER = PackageLoader("matchmaker.alerts", "templates")
