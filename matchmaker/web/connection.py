"""What a client sends that is no HTTP: answered in JSON as every error, and logged without a byte of it.

aiohttp answers such requests itself, before any middleware, in plain text, and logs what was sent. What was sent
may be a patient.
"""

import json
import logging

from aiohttp import web

from matchmaker.mme.media import LATEST, media_type

_SERVER_ERROR = 500


class _NoValues(logging.Filter):
    """Keeps the words of a log line and drops its values: arguments and the traceback's message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: the line stays."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        record.msg = " ".join(part for part in (str(record.msg).split("%", 1)[0].strip(), kind) if part)
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


SERVER_LOGGER = logging.getLogger("matchmaker.http")
SERVER_LOGGER.addFilter(_NoValues())


class NodeConnection(web.RequestHandler):
    """One connection of a client."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be read as a request, and close the connection."""
        self.logger.info("refused what is no request of HTTP", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        text = "an error of ours" if status >= _SERVER_ERROR else "not a request of HTTP that this node can read"
        answer = web.Response(
            status=status,
            body=json.dumps({"message": text}).encode("utf-8"),
            headers={"Content-Type": media_type(LATEST)},
        )
        answer.force_close()
        return answer


class _NodeServer(web.Server):
    """Makes a NodeConnection for every connection."""

    def __call__(self) -> NodeConnection:
        return NodeConnection(self, loop=self._loop, **self._kwargs)


class NodeRunner(web.AppRunner):
    """Runs an application behind NodeConnections."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        settings = made._kwargs  # noqa: SLF001 - aiohttp offers no other way to choose the class of a connection
        return _NodeServer(made.request_handler, request_factory=made.request_factory, **settings)
