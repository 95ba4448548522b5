"""Forms as browsers send them: fields, and files, read up to a limit of bytes and of time."""

import asyncio
import re
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict

from matchmaker.intake.upload import decoded
from matchmaker.mme.errors import NotJson, Problem, TooLarge, TooSlow, UnsupportedMedia
from matchmaker.web.keys import EXCHANGE

MOST_BYTES = 4 * 1024 * 1024  # of a form with its files
_MOST_FIELDS = 10_000
_MOST_PASSED_OVER = 64 * 1024 * 1024  # of one that is too large: read to its end, so that the browser hears why
_QUOTED = re.compile(r'\b(name|filename)="([^"]*)"')
_CHUNK = 64 * 1024
_FORM, _WITH_FILES = "application/x-www-form-urlencoded", "multipart/form-data"


async def read_fields(request: web.Request, *, to_its_end: bool = False) -> MultiDict[str]:
    """Return the fields of a form; a file is its text, its name stands under NAME + "-name".

    `to_its_end`: one that is too large is read nevertheless, so that the browser hears why; a stranger's is not.

    Errors: TooLarge; TooSlow; UnsupportedMedia where it is no form; NotJson where it cannot be read.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMedia("a form comes as it is, not compressed")
    seconds = request.app[EXCHANGE].config.server.body_seconds
    most = _MOST_PASSED_OVER if to_its_end else MOST_BYTES
    try:
        async with asyncio.timeout(seconds):
            if request.content_type == _WITH_FILES:
                return await _parts(request, most)
            if request.content_type == _FORM:
                return _pairs(await _read(request, most))
    except TimeoutError:
        raise TooSlow(f"the form did not arrive within {seconds:g} s") from None
    except (web.PayloadAccessError, web.RequestPayloadError, HttpProcessingError, ValueError, OSError, AssertionError):
        raise NotJson(Problem("", "the form cannot be read: broken off, or not UTF-8")) from None
    raise UnsupportedMedia("expected a form")


def _pairs(body: bytes) -> MultiDict[str]:
    return MultiDict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))


async def _read(request: web.Request, most: int) -> bytes:
    received, size = bytearray(), 0
    async for chunk in request.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size <= MOST_BYTES:
            received += chunk
        elif size > most:
            break
    if size > MOST_BYTES:
        raise TooLarge(MOST_BYTES)
    return bytes(received)


async def _parts(request: web.Request, most: int) -> MultiDict[str]:
    fields, left = MultiDict[str](), MOST_BYTES
    async for part in await request.multipart():
        name, file = _named(part) if isinstance(part, BodyPartReader) else (None, None)
        if not isinstance(part, BodyPartReader) or name is None or len(fields) > _MOST_FIELDS:
            raise NotJson(Problem("", "the form cannot be read"))
        content = await _part(part, left, most)
        left -= len(content) + sum(len(value) for value in part.headers.values())
        if left < 0:
            raise TooLarge(MOST_BYTES)
        if file is None:
            fields.add(_text(name), content.decode("utf-8"))
        else:
            fields.add(_text(name), decoded(content))
            fields.add(f"{_text(name)}-name", _text(file))
    return fields


def _named(part: BodyPartReader) -> tuple[str | None, str | None]:
    """Return the field and the file that a part says it is; aiohttp loses both where a name holds semicolons."""
    if part.name is not None:
        return part.name, part.filename
    said = dict(_QUOTED.findall(part.headers.get("Content-Disposition", "")))
    return said.get("name"), said.get("filename")


def _text(name: str) -> str:
    """Return a name as text: browsers escape quotes and ends of lines (HTML, multipart/form-data), others anything."""
    for escaped, meant in (("%22", '"'), ("%0A", " "), ("%0D", " ")):
        name = name.replace(escaped, meant)
    return name.encode("utf-8", "replace").decode("utf-8")


async def _part(part: BodyPartReader, left: int, most: int) -> bytes:
    content, size = bytearray(), 0
    while chunk := await part.read_chunk(_CHUNK):
        size += len(chunk)
        if size <= left:
            content += chunk
        elif size > most:
            break
    if size > left:
        raise TooLarge(MOST_BYTES)
    return bytes(content)
