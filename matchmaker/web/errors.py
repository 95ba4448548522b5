"""Exception -> HTTP answer, in this one place. Every error is JSON with a human `message`; of a page, a page.

A RequestError says its own status. Anything else is a bug: 500 with an id, and a log line that names the place in
the code but none of the values, which may be health data.
"""

import json
import logging
import traceback
from collections.abc import Callable

from aiohttp import web

from matchmaker.mme.errors import MethodNotAllowed, NotFound, RequestError
from matchmaker.mme.media import LATEST, media_type
from matchmaker.store.base import CaseTooLarge, StoreBusy, StoreFull
from matchmaker.web.keys import PAGE_PATHS, VERSION, is_mme
from matchmaker.web.pages.errors import error_page

logger = logging.getLogger("matchmaker.web")
_BUSY = "this node cannot reach its records just now; try again"
_FULL = "this node's disk is full; nothing was stored, try again when its operator has made room"


def errors_middleware(new_id: Callable[[], str]) -> web.middleware:  # type: ignore[valid-type]  # aiohttp types its decorator as a function
    """Return the middleware by which what a handler raises becomes an answer. `new_id` names a bug."""

    @web.middleware
    async def answer_errors(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
        try:
            return await handler(request)  # type: ignore[misc,no-any-return]  # aiohttp's own handler type
        except RequestError as error:
            return _answer(request, error)
        except web.HTTPException as error:
            return _translated(request, error)
        except Exception as error:  # noqa: BLE001 - the one place where a bug becomes an answer
            return _unexpected(request, _leaf(error), new_id())

    return answer_errors


def _leaf(error: BaseException) -> BaseException:
    """Return the first error within a group: tasks that ran together fail as a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _unexpected(request: web.Request, error: BaseException, bug: str) -> web.Response:
    if isinstance(error, RequestError):
        return _answer(request, error)
    if isinstance(error, CaseTooLarge):
        return _json(request, 413, {"message": str(error)}, {})
    if isinstance(error, StoreBusy):
        logger.warning("%s: %s", route_of(request), error)
        full = isinstance(error, StoreFull)
        message = _FULL if full else _BUSY
        return _json(request, 507 if full else 503, {"message": message}, {"Retry-After": "60" if full else "5"})
    return _bug(request, error, bug)


def _answer(request: web.Request, error: RequestError) -> web.Response:
    body: dict[str, object] = {"message": error.message, **error.fields()}
    if error.problems:
        body["errors"] = [{"path": problem.path, "message": problem.message} for problem in error.problems]
    return _json(request, error.status, body, error.headers())


def _translated(request: web.Request, error: web.HTTPException) -> web.Response:
    """Put our words for aiohttp's own errors: an unknown path, a wrong method."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        return _answer(request, MethodNotAllowed(error.method, tuple(sorted(error.allowed_methods))))
    if isinstance(error, web.HTTPNotFound):
        return _answer(request, NotFound("there is nothing here; see /openapi.json"))
    return _json(request, error.status, {"message": error.reason}, {})


def _bug(request: web.Request, error: BaseException, bug: str) -> web.Response:
    frames = " < ".join(
        f"{f.filename}:{f.lineno} {f.name}" for f in reversed(traceback.extract_tb(error.__traceback__))
    )
    logger.error("bug %s: %s in %s: %s", bug, type(error).__name__, route_of(request), frames)
    return _json(request, 500, {"message": "an error of ours; please report it with its id", "id": bug}, {})


def _is_for_people(request: web.Request) -> bool:
    """Tell whether an error is to be read by a person: of a page's route, or of no route, asked for by a browser."""
    resource = request.match_info.route.resource
    if resource is not None:
        return resource.canonical in request.app[PAGE_PATHS]
    return "text/html" in request.headers.get("Accept", "") and not is_mme(request)


def route_of(request: web.Request) -> str:
    """Return method and route, without the ids in the path."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '(no route)'}"


def _json(request: web.Request, status: int, body: dict[str, object], headers: dict[str, str]) -> web.Response:
    headers = {**headers, "X-Content-Type-Options": "nosniff"}
    if _is_for_people(request):
        return error_page(request, status, str(body.get("message", "")), headers, body.get("id"))
    content_type = media_type(request.get(VERSION, LATEST)) if is_mme(request) else "application/json"
    text = json.dumps(body, ensure_ascii=False).encode("utf-8")
    return web.Response(status=status, body=text, headers={**headers, "Content-Type": content_type})
