"""`matchmaker heartbeat`: is the node here alive? What the health check of a container runs."""

import http.client
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import SplitResult, urlsplit

import typer

from matchmaker.cli.options import ConfigFile, DataDir, configured
from matchmaker.exchange.config import ConfigInvalid, Server
from matchmaker.mme.errors import RequestError
from matchmaker.mme.media import SUPPORTED, media_type
from matchmaker.mme.messages import Heartbeat
from matchmaker.mme.strict_json import parse, printable
from matchmaker.mme.validation import validate
from matchmaker.peers.client import read_token
from matchmaker.web.serving import url_of

SECONDS = 5.0  # within which all of the answer is there
_MAX_BYTES = 1024 * 1024  # more than a heartbeat with the longest disclaimer and terms
_MEDIA = media_type(SUPPORTED[0])
_OK, _UNAUTHORISED = 200, 401
_PORTS = {"http": 80, "https": 443}
_REACHED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - every interface is listened on, one is asked
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
Result = TypeVar("Result")


class _NotAlive(Exception):
    """What was asked is no living node. The message says why."""


@dataclass(frozen=True)
class _Answer:
    """What came back: status, media type in lower case, and the body, cut."""

    status: int
    media: str
    body: bytes


def heartbeat(
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="What stands before /heartbeat [default: the configured host and port]."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds a token of this node; without, a 401 is what is awaited.")
    ] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Ask the node on this machine for its heartbeat; exit 1 unless it answers as a node does, within 5 seconds."""
    asked = _own_url(configured(config, data_dir).server) if url is None else url
    target = _target(asked)
    token = read_token(token_file) if token_file else None
    if token and target.scheme == "http" and target.hostname not in _LOOPBACK:
        raise ConfigInvalid("--token-file: http would send the token unencrypted; use https, or ask on this machine")
    try:
        said = _said(_within(SECONDS, lambda: _answer(target, token)), token)
    except _NotAlive as error:
        typer.echo(f"not alive: {printable(asked, 200)}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"alive: {printable(asked, 200)}: {said}")


def _own_url(server: Server) -> str:
    return url_of(_REACHED.get(server.host, server.host), server.port)


def _target(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or "@" in url or "?" in url or "#" in url or " " in url or not url.isprintable():
        raise ConfigInvalid("--url: expected http://HOST:PORT, without user, query or blanks")
    return parts


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or leave it behind: a socket's own timeout is for each read, not for all of them."""
    ended: Future[Result] = Future()

    def run() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            ended.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return ended.result(seconds)
    except TimeoutError:
        raise _NotAlive(f"no answer within {seconds:g} s") from None


def _answer(target: SplitResult, token: str | None) -> _Answer:
    """GET the heartbeat, once; a redirect is not followed, and no proxy is asked. Errors: _NotAlive, TimeoutError."""
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    headers = {"Accept": _MEDIA, "User-Agent": "matchmaker"} | ({"X-Auth-Token": token} if token else {})
    try:
        connection = kind(target.hostname or "", target.port or _PORTS[target.scheme], timeout=SECONDS)
        try:
            connection.request("GET", target.path.rstrip("/") + "/heartbeat", headers=headers)
            response = connection.getresponse()
            return _Answer(response.status, response.headers.get_content_type(), response.read(_MAX_BYTES))
        finally:
            connection.close()
    except TimeoutError:
        raise
    except ConnectionRefusedError:
        raise _NotAlive("nobody listens there") from None
    except http.client.HTTPException:
        raise _NotAlive("the answer broke off or is no HTTP") from None
    except (OSError, ValueError) as error:
        raise _NotAlive(f"cannot be reached ({type(error).__name__})") from None


def _said(answer: _Answer, token: str | None) -> str:
    """Return what the answer tells. Errors: _NotAlive, unless it is one of a node."""
    wanted = _OK if token else _UNAUTHORISED
    got = f"{answer.status} {printable(answer.media, 100)}"
    if token and answer.status == _UNAUTHORISED:
        raise _NotAlive(f"the token is refused ({got})")
    if (answer.status, answer.media) != (wanted, _MEDIA):
        raise _NotAlive(f"expected {wanted} {_MEDIA}; got {got}")
    try:
        value = parse(answer.body)
        if not token:
            return "it answers, and wants a token"
        body = validate(Heartbeat, value).heartbeat
    except RequestError as error:
        raise _NotAlive(f"the answer is not as it should be: {printable(error.message, 200)}") from None
    return f"version {printable(body.version)}, {'production' if body.production else 'not production'}"
