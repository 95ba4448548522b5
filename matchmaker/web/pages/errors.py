"""An error as a person reads it, in a browser."""

import gettext
from collections.abc import Mapping

from aiohttp import web

from matchmaker.mme.errors import RequestError
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.access import outside, words_for
from matchmaker.web.pages.frame import page

_TITLES = {
    401: "Please sign in",
    403: "Not for you",
    404: "There is nothing here",
    405: "This cannot be done here",
    410: "It was withdrawn",
    413: "Too large",
    429: "Too often",
    503: "Not just now",
    507: "Not just now",
}
_SERVER_ERROR = 500


def one_line(words: gettext.NullTranslations, error: RequestError) -> str:
    """Return what went wrong, for a form that has one field only: without the name of that field."""
    return words.gettext(error.problems[0].message if error.problems else error.message)


def error_page(
    request: web.Request, status: int, message: str, headers: Mapping[str, str], bug: object = None
) -> web.Response:
    """Return a page with what went wrong, and what to do."""
    words, language = words_for(request)
    title = words.gettext(_TITLES.get(status, "An error of ours" if status >= _SERVER_ERROR else "That did not work"))
    told = words.gettext(message) if message else ""
    content = {**outside(request.app[EXCHANGE]), "title": title, "message": told, "bug": bug}
    response = page("error.html", words, language, status, **content)
    response.headers.update(headers)
    return response
