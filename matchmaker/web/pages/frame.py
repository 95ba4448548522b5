"""Pages from templates: escaped, in the reader's language, under a policy by which a browser runs nothing."""

import gettext
from functools import lru_cache
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_LOADER = PackageLoader("matchmaker.web", "templates")


def page(
    template: str, words: gettext.NullTranslations, language: str, status: int = 200, **content: Any
) -> web.Response:
    """Return a page, kept by no cache."""
    html = _environment(words).get_template(template).render(language=language, **content)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Content-Language": language,
    }
    return web.Response(text=html, status=status, content_type="text/html", headers=headers)


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
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    return environment


async def style(_request: web.Request) -> web.Response:
    """GET /static/style.css."""
    text = (resources.files("matchmaker.web") / "static" / "style.css").read_text(encoding="utf-8")
    return web.Response(text=text, content_type="text/css", headers={"Cache-Control": "max-age=3600"})
