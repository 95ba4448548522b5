"""Catalogues: each language says all that there is to say, and an operator's words go above ours."""

import re
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import matchmaker
from matchmaker.alerts.catalogues import Catalogues, CatalogueUnreadable
from matchmaker.alerts.compose import strength

PACKAGE = Path(matchmaker.__file__).parent
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
LOUD = {pattern: {"silent": "false"} for pattern, method in METHODS if method == "jinja2"}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
OURS = ("de", "es", "fr")
Message = str | tuple[str, ...]


def said() -> set[Message]:
    """All that a node says in mails and on pages; two or more texts are the plural forms of one message."""
    found: set[Message] = {strength(score) for score in (1.0, 0.6, 0.3, 0.0)}
    for room in ("alerts", "web"):
        for _, _, message, _, _ in extract_from_dir(
            PACKAGE / room, method_map=METHODS, options_map=LOUD, keywords=KEYWORDS
        ):
            found.add(message if isinstance(message, str) else tuple(message))
    return found


def catalogue(language: str) -> Catalog:
    file = resources.files("matchmaker.alerts") / "catalogues" / f"{language}.po"
    return read_po(BytesIO(file.read_bytes()), abort_invalid=True)


def forms_of(known: Catalog) -> dict[str, list[tuple[str, str]]]:
    """What stands for each text: the text and its translations, in pairs."""
    found: dict[str, list[tuple[str, str]]] = {}
    for message in known:
        for text in filter(None, several(message.id)):
            found.setdefault(text, []).extend((text, string) for string in several(message.string))
    return found


def several(texts: Any) -> tuple[str, ...]:
    """The forms of a message, of which there may be one."""
    return tuple(texts) if isinstance(texts, tuple | list) else (texts or "",)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\(\w+\))?.", text))


def test_what_is_said_is_found_in_code_and_templates() -> None:
    everything = said()
    assert "new" in everything, "in code, marked"
    assert "A %(strength)s match, with %(node)s" in everything, "in code, and in a template"
    assert "Only matches that share a gene" in everything, "on a page"
    assert ("A match was found for a patient of yours.", "Matches were found for patients of yours.") in everything


@pytest.mark.parametrize("language", OURS)
def test_everything_is_said_in_each_language(language: str) -> None:
    known = catalogue(language)
    forms = forms_of(known)
    texts = {text for message in said() for text in several(message)}
    missing = {text for text in texts if not forms.get(text) or not all(string for _, string in forms[text])}
    assert not missing
    for message in said():
        if isinstance(message, tuple):
            translated = known.get(message[0])
            assert translated is not None
            assert translated.id == message
            assert len(several(translated.string)) == known.num_plurals == 2
    assert not [message.id for message in known if message.id and message.fuzzy], "what is fuzzy is not used"


@pytest.mark.parametrize("language", OURS)
def test_a_translation_is_given_what_it_names(language: str) -> None:
    pairs = [pair for pairs in forms_of(catalogue(language)).values() for pair in pairs]
    assert [(text, string) for text, string in pairs if placeholders(text) != placeholders(string)] == []


@pytest.mark.parametrize("language", OURS)
def test_one_and_many_are_told_apart_as_the_language_does(language: str) -> None:
    words = Catalogues().of(language)
    one, many = "%(count)d match, from %(node)s", "%(count)d matches, from %(node)s"
    assert words.ngettext(one, many, 1) != words.ngettext(one, many, 2)
    assert (words.ngettext(one, many, 0) == words.ngettext(one, many, 1)) is (language == "fr")


def test_the_nearest_language_is_spoken_then_the_nodes_own_then_english() -> None:
    known = Catalogues(default="fr")
    wanted = ("es", "es-MX", "en", "en-IE", "xx", "xx-YY", "", None)
    assert [known.nearest(one) for one in wanted] == ["es", "es", "en", "en", "fr", "fr", "fr", "fr"]
    assert Catalogues(default="de-AT").nearest("xx") == "de"
    assert Catalogues(default="xx").nearest("yy") == "en"
    assert known.of("xx").gettext("new") == "nouvelle"
    assert Catalogues(default="xx").of("yy").gettext("new") == "new"


@pytest.mark.parametrize("wanted", ["../fr", "/fr", "fr.po", "FR\n", "."])
def test_what_only_looks_like_a_language_opens_no_file(wanted: str) -> None:
    assert Catalogues().nearest(wanted) == "en"


def test_we_speak_four_languages_and_an_operator_can_add_one(tmp_path: Path) -> None:
    assert Catalogues().languages() == ("de", "en", "es", "fr")
    write(tmp_path, "ga", "nua")
    (tmp_path / "notes.txt").write_text("not a language", encoding="utf-8")
    known = Catalogues(folder=tmp_path)
    assert known.languages() == ("de", "en", "es", "fr", "ga")
    assert known.of("ga").gettext("new") == "nua"
    assert known.of("es").gettext("new") == "nueva"
    assert Catalogues(folder=tmp_path / "nowhere").languages() == ("de", "en", "es", "fr")


def write(folder: Path, language: str, new: str) -> Path:
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    file = folder / f"{language}.po"
    file.write_text(f'{head}\nmsgid "new"\nmsgstr "{new}"\n', encoding="utf-8")
    return file


def test_an_operators_words_go_above_ours_and_the_rest_stays(tmp_path: Path) -> None:
    write(tmp_path, "es", "recién hallada")
    words = Catalogues(folder=tmp_path).of("es")
    assert (words.gettext("new"), words.gettext("weak")) == ("recién hallada", "débil")
    assert words.ngettext("A match was found for a patient of yours.", "", 1).startswith("Se encontró")
    assert Catalogues().of("es").gettext("new") == "nueva", "nobody else's node is changed"


def test_an_operators_words_stay_however_often_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "pt", "nova")
    for _ in range(5):
        words = Catalogues(folder=tmp_path).of("pt")
        assert (words.gettext("new"), words.gettext("weak")) == ("nova", "weak")


@pytest.mark.parametrize(
    "broken",
    [
        b"dear translator\n",
        b'msgid "new"\nmsgstr "\xff\xfe"\n',
        b'msgid ""\nmsgstr "Content-Type: text/plain; charset=klingon\\n"\n',
        b'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=exit();\\n"\n',
        b'msgid ""\nmsgstr "Plural-Forms: nplurals=many; plural=n;\\n"\n',
        b'msgid ""\nmsgstr "PO-Revision-Date: yesterday\\n"\n',
        b'msgid "one"\nmsgid_plural "many"\nmsgstr[x] "a"\n',
    ],
)
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path, broken: bytes) -> None:
    file = tmp_path / "es.po"
    file.write_bytes(broken)
    known = Catalogues(folder=tmp_path)
    with pytest.raises(CatalogueUnreadable) as raised:
        known.of("es-MX")
    assert str(raised.value).startswith(f"{file} is no catalogue of gettext: ")
    assert known.of("fr").gettext("new") == "nouvelle", "the others can be"


@pytest.mark.parametrize("wrong", ["%(nod)s", "100% %(node)s", "%s"])
def test_a_translation_with_other_places_than_its_text_is_refused(tmp_path: Path, wrong: str) -> None:
    text = f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Test mail from %(node)s"\nmsgstr "{wrong}"\n'
    (tmp_path / "xx.po").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueUnreadable, match=r"xx\.po"):
        Catalogues("en", tmp_path).of("xx")
