"""Pages from templates: escaped, in the reader's language, under a policy by which a browser runs our scripts alone."""

import gettext
from functools import lru_cache
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from matchmaker.mme.errors import NotFound
from matchmaker.web.pages.showing import FILTERS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
_LOADER = PackageLoader("matchmaker.web", "templates")
_STATIC = {
    "icon.svg": "image/svg+xml",
    "style.css": "text/css",
    "picture.css": "text/css",
    "htmx.min.js": "text/javascript",
    "pages.js": "text/javascript",
}


def page(
    template: str, words: gettext.NullTranslations, language: str, status: int = 200, **content: Any
) -> web.Response:
    """Return a page, kept by no cache."""
    html = rendered(template, words, language, **content)
    headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "same-origin",  # with none, a browser would send no Origin with our own forms
        "Cache-Control": "no-store",
        "Content-Language": language,
        "X-Frame-Options": "DENY",
    }
    return web.Response(text=html, status=status, content_type="text/html", headers=headers)


def rendered(template: str, words: gettext.NullTranslations, language: str, **content: Any) -> str:
    """Return a template with its content."""
    return _environment(words).get_template(template).render(language=language, **content)


@lru_cache(maxsize=64)
def _environment(words: gettext.NullTranslations) -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    return environment


async def static(request: web.Request) -> web.Response:
    """GET /static/{name}: style sheets and scripts."""
    name = request.match_info["name"]
    if name not in _STATIC:
        raise NotFound("there is nothing here")
    headers = {"Cache-Control": "max-age=3600"}
    return web.Response(text=_text(name), content_type=_STATIC[name], charset="utf-8", headers=headers)


@lru_cache(maxsize=len(_STATIC))
def _text(name: str) -> str:
    return (resources.files("matchmaker.web") / "static" / name).read_text(encoding="utf-8")
