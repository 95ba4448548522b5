"""Request bodies, read up to a limit of bytes and of time, and written answers."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from matchmaker.mme.errors import NotJson, Problem, TooLarge, TooSlow, UnsupportedMedia
from matchmaker.mme.patient import Value
from matchmaker.web.keys import EXCHANGE

_ENCODINGS = {"identity", "gzip", "deflate"}
_FIELDS = 100
_CHUNK = 64 * 1024


async def read_body(request: web.Request) -> bytes:
    """Return the body. Errors: TooLarge (413), TooSlow (408), NotJson (400) when it breaks off."""
    server = request.app[EXCHANGE].config.server
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in _ENCODINGS:
        raise UnsupportedMedia(f"Content-Encoding must be one of {', '.join(sorted(_ENCODINGS))}")
    if (request.content_length or 0) > server.max_body_bytes:
        raise TooLarge(server.max_body_bytes)
    try:
        async with asyncio.timeout(server.body_seconds):
            return await _read(request, server.max_body_bytes)
    except TimeoutError:
        raise TooSlow(f"the body did not arrive within {server.body_seconds:g} s") from None
    except (web.PayloadAccessError, ValueError, OSError, web.RequestPayloadError):
        raise NotJson(Problem("", "the body cannot be read: broken off, or not in the encoding it states")) from None


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form. Errors: as read_body; UnsupportedMedia where it is none, NotJson where not UTF-8."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMedia("expected a form: application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl((await read_body(request)).decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise NotJson(Problem("", "the form cannot be read")) from None
    return dict(pairs)


async def _read(request: web.Request, limit: int) -> bytes:
    received = bytearray()
    async for chunk in request.content.iter_chunked(_CHUNK):
        received += chunk
        if len(received) > limit:
            raise TooLarge(limit)
    return bytes(received)


def json_response(
    value: Value | dict[str, Any] | bytes, status: int = 200, content_type: str = "application/json"
) -> web.Response:
    """Return an answer in JSON; it is for the asker alone and kept by no cache."""
    if isinstance(value, bytes):
        text = value
    elif isinstance(value, Value):
        text = value.model_dump_json(by_alias=True, exclude_none=True).encode("utf-8")
    else:
        text = json.dumps(value, ensure_ascii=False).encode("utf-8")
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return web.Response(status=status, body=text, headers=headers)
