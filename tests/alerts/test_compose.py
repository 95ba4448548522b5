"""What a mail says, and that nothing from outside can make it say anything else. Read back as a mail program does."""

import re
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any

import pytest

from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.compose import (
    MOST_LINES,
    Envelope,
    Line,
    matches_message,
    strength,
    withdrawal_message,
)
from matchmaker.alerts.compose import test_message as message_of_a_test  # pytest takes its own name for a test
from matchmaker.alerts.links import Links
from matchmaker.records.alert import News

LANGUAGES = ("en", "es", "fr", "de")
LINKS = Links("https://matchmaker.ireland.example", "the-secret")
ANA = "ana@hospital.example"
ENVELOPE = Envelope(
    sender="alerts@ireland.example",
    recipient=ANA,
    message_id="<0123456789abcdef0123456789abcdef@ireland.example>",
    at=1_804_680_000.0,
    node="ireland",
    language="en",
    choices_link=LINKS.choices(ANA),
    unsubscribe_link=LINKS.unsubscribe(ANA),
)
LINE = Line("spain", 0.91, News.FOUND, LINKS.match("m1"))
THEIRS = Line("spain", 0.91, News.FOUND, LINKS.match("m1"), "P-17", "Dr Byrne", "mailto:byrne@hospital.example")
SCRIPT = "<script>alert(1)</script>"
BREAKS = ["\r\nBcc: eve@elsewhere.example", "\nBcc: eve@elsewhere.example", "\rBcc: eve@elsewhere.example",
          "\r\n\r\n<b>body</b>", "\r\n Bcc: eve@elsewhere.example"]  # fmt: skip


def read(message: EmailMessage) -> EmailMessage:
    """A message as the recipient's mail program has it."""
    received = message_from_bytes(bytes(message), policy=SMTP)
    assert isinstance(received, EmailMessage)
    return received


def part(message: EmailMessage, kind: str) -> str:
    body = read(message).get_body((kind,))
    assert isinstance(body, EmailMessage)
    content = body.get_content()
    assert isinstance(content, str)
    return content


def mail(*lines: Line, count: int = 0, language: str = "en", **changes: Any) -> EmailMessage:
    shown = lines or (LINE,)
    envelope = replace(ENVELOPE, language=language, **changes)
    return matches_message(envelope, shown, count or len(shown), Catalogues().of(language))


def notice(language: str = "en", known_as: str = "P-17") -> EmailMessage:
    envelope = replace(ENVELOPE, language=language, choices_link=None, unsubscribe_link=None)
    return withdrawal_message(envelope, known_as, Catalogues().of(language))


def trial(language: str = "en") -> EmailMessage:
    envelope = replace(ENVELOPE, language=language, choices_link=None, unsubscribe_link=None)
    return message_of_a_test(envelope, Catalogues().of(language))


class Page(HTMLParser):
    """The tags, links and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")], "nothing happens by itself"
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_mail_says_whose_it_is_and_how_to_hear_less() -> None:
    head = read(mail())
    assert {name: head[name] for name in head if name not in ("MIME-Version", "Content-Type")} == {
        "From": "ireland <alerts@ireland.example>",
        "To": ANA,
        "Subject": "A very strong match, with spain",
        "Date": "Wed, 10 Mar 2027 12:00:00 +0000",
        "Message-ID": ENVELOPE.message_id,
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{LINKS.unsubscribe(ANA)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Content-Language": "en",
    }
    assert [one.get_content_type() for one in head.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("base", ["http://localhost:8080", "https://matchmaker.university-hospital.example"])
def test_the_link_out_is_written_as_it_is_for_mail_programs_to_use(base: str) -> None:
    link = Links(base, "the-secret").unsubscribe(ANA)
    head = bytes(mail(unsubscribe_link=link)).partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    assert f"List-Unsubscribe: <{link}>".encode() in head.split(b"\r\n")


@pytest.mark.parametrize("domain", ["x.example", f"{'genetics.' * 6}example", f"{'a' * 60}.{'b' * 60}.example"])
def test_a_message_id_is_written_as_it_is(domain: str) -> None:
    wanted = f"<{'0' * 32}@{domain}>"
    head = bytes(mail(message_id=wanted)).partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    assert wanted.encode() in head


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_and_encoded_words_are_no_longer_than_the_rules_of_mail_have_them(language: str) -> None:
    hospital = "Universitätsklinikum für äußerst seltene Übereinstimmungen " * 2
    head, _, body = bytes(mail(replace(LINE, node=hospital), language=language)).partition(b"\r\n\r\n")
    assert max(len(line) for line in body.split(b"\r\n")) <= 76, "RFC 2045, 6.7"
    assert max(len(word) for word in re.findall(rb"=\?\S+\?=", head)) <= 75, "RFC 2047, 2"
    assert max(len(line) for line in head.split(b"\r\n") if b"=?" in line) <= 78, "RFC 5322, 2.1.1"


def test_where_nobody_subscribed_there_is_nothing_to_unsubscribe() -> None:
    for message in (notice(), trial()):
        assert not [name for name in message if name.startswith("List-")]
        assert message["Auto-Submitted"] == "auto-generated"
        assert "/alerts/" not in part(message, "plain") + part(message, "html")


def test_every_try_is_the_same_message() -> None:
    first, second = (
        {name: text for name, text in read(mail()).items() if name != "Content-Type"} for _ in range(2)
    )  # but for the line between its parts
    assert first == second
    assert part(mail(), "html") == part(mail(), "html")


@pytest.mark.parametrize(
    "make", [lambda language: mail(language=language), notice, trial], ids=["matches", "withdrawal", "test"]
)
def test_each_language_says_it_in_its_own_words(make: Callable[[str], EmailMessage]) -> None:
    messages = [make(language) for language in LANGUAGES]
    assert len({message["Subject"] for message in messages}) == len(LANGUAGES)
    for kind in ("plain", "html"):
        assert len({part(message, kind) for message in messages}) == len(LANGUAGES)
        assert all("ireland" in part(message, kind) for message in messages)
    for language, message in zip(LANGUAGES, messages, strict=True):
        assert read(message)["Content-Language"] == language
        assert f'<html lang="{language}">' in part(message, "html")


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_and_html_both_hold_node_match_and_choices(language: str) -> None:
    message = mail(language=language)
    assert "spain" in message["Subject"]
    text, page = part(message, "plain"), Page(part(message, "html"))
    wanted = [LINKS.match("m1"), LINKS.choices(ANA), LINKS.unsubscribe(ANA)]
    assert page.links == wanted
    assert [link for link in wanted if link in text.split()] == wanted
    assert "spain" in text
    assert "spain" in page.words
    assert ANA not in text + page.words, "whoever looks over a shoulder learns no address"


def test_a_strength_is_in_words() -> None:
    scores = (1.0, 0.8, 0.79, 0.5, 0.49, 0.2, 0.19, 0.0)
    assert [strength(score) for score in scores] == [
        "very strong", "very strong", "strong", "strong", "moderate", "moderate", "weak", "weak",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("news", "words"), [(News.FOUND, "new"), (News.STRONGER, "stronger than before"), (News.SOLVED, "what helped")]
)
def test_what_is_new_of_a_match_is_said(news: News, words: str) -> None:
    message = mail(replace(LINE, news=news))
    assert words in part(message, "plain")
    assert words in part(message, "html")


HOSTILE = Line(
    f"spain{SCRIPT}", 0.91, News.FOUND, f'https://x.example/"onclick="{SCRIPT}', None, None, None, (f"BCKDK{SCRIPT}",)
)
HOSTILE_THEIRS = replace(THEIRS, quoted=SCRIPT, contact_name=f"Dr {SCRIPT}", contact_href=f'mailto:"{SCRIPT}')


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("line", [HOSTILE, HOSTILE_THEIRS], ids=["ours", "theirs"])
def test_a_string_from_outside_is_words_and_never_a_tag(line: Line, language: str) -> None:
    harmless = Page(part(mail(replace(LINE, details=("x",)) if line is HOSTILE else THEIRS), "html"))
    for hostile in (mail(line, language=language), mail(line, line, language=language, node=f"ireland{SCRIPT}")):
        page = Page(part(hostile, "html"))
        assert "script" not in page.tags
        assert set(page.tags) == set(harmless.tags)
        assert page.words.count(SCRIPT) >= 2
    assert SCRIPT in Page(part(notice(known_as=SCRIPT), "html")).words


@pytest.mark.parametrize("odd", ["100%", "%(node)s", "%s%d", "{{ 7 * 7 }}", "{% raw %}", "A & B", "Œuvre 患者"])
def test_an_odd_name_is_shown_as_it_is(odd: str) -> None:
    message = mail(replace(LINE, node=odd), language="fr")
    assert message["Subject"].endswith(odd)
    assert odd in part(message, "plain")
    assert odd in Page(part(message, "html")).words


@pytest.mark.parametrize("bad", BREAKS)
@pytest.mark.parametrize("field", ["sender", "recipient", "node", "message_id", "unsubscribe_link", "language"])
def test_a_line_break_in_a_header_is_refused(field: str, bad: str) -> None:
    value = getattr(ENVELOPE, field)
    for broken in (value + bad, bad + value, value[:4] + bad + value[4:]):
        with pytest.raises(ValueError, match=r"line|LF"):
            with_changed(field, broken)


def with_changed(field: str, value: str) -> EmailMessage:
    changes: dict[str, Any] = {field: value}
    return matches_message(replace(ENVELOPE, **changes), (LINE,), 1, Catalogues().of("en"))


@pytest.mark.parametrize("bad", BREAKS)
def test_a_line_break_in_another_nodes_name_is_refused_in_the_subject(bad: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        mail(replace(LINE, node=f"spain{bad}"))


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0"])
@pytest.mark.parametrize("field", ["sender", "recipient", "node", "message_id", "unsubscribe_link", "language"])
def test_whatever_else_ends_a_line_somewhere_adds_no_header(field: str, end: str) -> None:
    value = getattr(ENVELOPE, field)
    for odd in (value + end, f"{value}{end}Bcc: eve@elsewhere.example"):
        try:
            message = with_changed(field, odd)
        except ValueError:
            continue
        assert read(message).keys() == read(mail()).keys()
        assert read(message).get_body(("plain",)) is not None


def test_a_line_break_below_the_head_stays_there() -> None:
    line = replace(THEIRS, node="spain\r\n\r\nBcc: eve", quoted="P\r\nTo: eve", contact_name="Dr\r\n\r\n--x")
    message = mail(line, line)
    assert read(message).keys() == read(mail()).keys()
    assert len(list(read(message).iter_parts())) == 2


def test_a_digest_shows_the_strongest_and_how_many_more() -> None:
    lines = tuple(replace(LINE, node=f"node{number}", link=LINKS.match(f"m{number}")) for number in range(MOST_LINES))
    message = mail(*lines, count=40)
    assert message["Subject"] == "40 matches, from ireland"
    text, page = part(message, "plain"), Page(part(message, "html"))
    assert re.findall(r"/matches/(m\d+)", text) == [f"m{number}" for number in range(25)]
    assert [link for link in page.links if "/matches/" in link] == [line.link for line in lines]
    for words in (text, page.words):
        assert "... and 15 more." in words
        assert "Matches were found for patients of yours." in words
    whole = mail(*lines)
    assert whole["Subject"] == "25 matches, from ireland"
    assert "more." not in part(whole, "plain") + part(whole, "html")
    assert "A match was found for a patient of yours." in part(mail(), "plain")


def test_a_notice_holds_no_details_and_a_complete_mail_does() -> None:
    details = ("BCKDK", "Seizure (HP:0001250)")
    short, complete = mail(), mail(replace(LINE, details=details))
    for kind in ("plain", "html"):
        assert "This mail says nothing about any patient." in part(short, kind)
        assert not re.search(r"BCKDK|HP:\d|0\.91", part(short, kind))
        assert [detail for detail in details if detail in part(complete, kind)] == list(details)
        assert "This mail holds data of patients, as the rules of ireland ask for." in part(complete, kind)
        assert "says nothing about any patient" not in part(complete, kind)


def test_another_nodes_people_are_told_their_own_patients_id_and_whom_to_write_to_and_get_no_link() -> None:
    message = mail(THEIRS)
    for kind in ("plain", "html"):
        words = part(message, kind)
        assert "ireland found patients who are like yours." in words
        assert "your patient: P-17" in words
        assert "write to: Dr Byrne, mailto:byrne@hospital.example" in words
        assert "/matches/" not in words
        assert "behind a login" not in words
    alone = mail(replace(THEIRS, contact_name=None, contact_href=None))
    assert "write to" not in part(alone, "plain") + part(alone, "html")


def test_the_notice_of_a_withdrawal_names_the_case_as_its_reader_knows_it() -> None:
    for language in LANGUAGES:
        message = notice(language)
        assert "P-17" in part(message, "plain")
        assert "P-17" in Page(part(message, "html")).words
        assert "P-17" not in message["Subject"], "subjects are read in lists, over shoulders"
