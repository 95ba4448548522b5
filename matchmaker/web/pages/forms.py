"""Forms as browsers send them: fields, and files, read up to a limit of bytes and of time."""

import asyncio
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from multidict import MultiDict

from matchmaker.intake.upload import decoded
from matchmaker.mme.errors import NotJson, Problem, TooLarge, TooSlow, UnsupportedMedia
from matchmaker.web.keys import EXCHANGE

MOST_BYTES = 4 * 1024 * 1024  # of a form with its files
_MOST_FIELDS = 10_000
_MOST_PASSED_OVER = 64 * 1024 * 1024  # of one that is too large: read to its end, so that the browser hears why
_CHUNK = 64 * 1024
_FORM, _WITH_FILES = "application/x-www-form-urlencoded", "multipart/form-data"


async def read_fields(request: web.Request, *, to_its_end: bool = False) -> MultiDict[str]:
    """Return the fields of a form; a file is its text, its name stands under NAME + "-name".

    `to_its_end`: one that is too large is read nevertheless, so that the browser hears why; a stranger's is not.

    Errors: TooLarge; TooSlow; UnsupportedMedia where it is no form; NotJson where it cannot be read.
    """
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
    except (web.PayloadAccessError, web.RequestPayloadError, ValueError, OSError, AssertionError):
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
        if not isinstance(part, BodyPartReader) or part.name is None or len(fields) > _MOST_FIELDS:
            raise NotJson(Problem("", "the form cannot be read"))
        content = await _part(part, left, most)
        left -= len(content)
        if part.filename is None:
            fields.add(part.name, content.decode("utf-8"))
        else:
            fields.add(part.name, decoded(content))
            fields.add(f"{part.name}-name", part.filename)
    return fields


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
