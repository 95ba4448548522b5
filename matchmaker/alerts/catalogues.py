"""Catalogues: what is said to people, in their languages (gettext). English stands in the code.

A catalogue is LANGUAGE.po, such as es.po; those of an operator's folder go above ours. They are read as they are:
nobody has to compile anything.
"""

import gettext
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

ENGLISH = "en"
_PLACE = re.compile(r"%\([a-z_]+\)[sd]")


class CatalogueUnreadable(Exception):
    """A catalogue of the operator's cannot be read. The message names the file."""


@dataclass(frozen=True)
class Catalogues:
    """The languages that a node speaks; `default` where it does not speak the one that is wanted."""

    default: str = ENGLISH
    folder: Path | None = None

    def languages(self) -> tuple[str, ...]:
        """Return the languages that there are."""
        folders = [_ours(), *((self.folder,) if self.folder else ())]
        names = {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}
        return tuple(sorted({ENGLISH, *(name.removesuffix(".po") for name in names if name.endswith(".po"))}))

    def nearest(self, language: str | None) -> str:
        """Return the language spoken here that is nearest to a wanted one: es for es-MX."""
        spoken = self.languages()
        wanted = (language or "", (language or "").split("-")[0], self.default, self.default.split("-")[0])
        return next((one for one in wanted if one in spoken), ENGLISH)

    def of(self, language: str | None) -> gettext.NullTranslations:
        """Return the words of a language. Errors: CatalogueUnreadable."""
        return _words(self.nearest(language), self.folder)


@lru_cache(maxsize=64)
def endonym(language: str) -> str:
    """Return what a language calls itself, such as Español; its code, where nobody knows."""
    try:
        name = Locale.parse(language, sep="-").get_language_name()
    except (UnknownLocaleError, ValueError):
        return language
    return name[:1].upper() + name[1:] if name else language


def _ours() -> Path:
    return Path(str(resources.files("matchmaker.alerts") / "catalogues"))


@lru_cache(maxsize=64)
def _words(language: str, folder: Path | None) -> gettext.NullTranslations:
    """Return the words of a language: those of an operator's folder, and ours where that says nothing."""
    words = _read(_ours() / f"{language}.po")
    if folder is None or not (folder / f"{language}.po").is_file():
        return words
    above = _read(folder / f"{language}.po")
    above.add_fallback(words)
    return above


def _read(file: Path) -> gettext.NullTranslations:
    """Return the words of a file, none where there is no such file: English needs none."""
    if not file.is_file():
        return gettext.NullTranslations()
    try:
        catalogue = read_po(BytesIO(file.read_bytes()), abort_invalid=True)
        _check_places(file, catalogue)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return gettext.GNUTranslations(compiled)
    except CatalogueUnreadable:
        raise
    except (PoFileError, ValueError, OSError, UnicodeError, LookupError) as error:
        raise CatalogueUnreadable(f"{file} is no catalogue of gettext: {error}") from None


def _check_places(file: Path, catalogue: Catalog) -> None:
    """Raise CatalogueUnreadable where a translation has places that its text has not: no mail could be written."""
    for message in catalogue:
        known = set(_PLACE.findall(" ".join(_listed(message.id))))
        for text in _listed(message.string) if message.id else ():
            if set(_PLACE.findall(text)) - known or "%" in _PLACE.sub("", text):
                places = ", ".join(sorted(known)) or "none"
                raise CatalogueUnreadable(f"{file}: {text!r} has other places than its text, which has {places}")


def _listed(texts: object) -> list[str]:
    """Return one text, or those of singular and plural; none where there is none."""
    several = texts if isinstance(texts, tuple | list) else (texts,)
    return [text for text in several if isinstance(text, str)]
