"""One question to one peer. The one place where the HTTP client's errors are translated.

Headers are exactly the peer's version: the most common nodes compare for equality. Nothing is asked twice,
redirects are never followed, and an answer is read as a stream and cut.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from matchmaker.mme.errors import InvalidRequest, RequestError
from matchmaker.mme.media import media_type
from matchmaker.mme.messages import HeartbeatBody, MatchResult
from matchmaker.mme.patient import Patient
from matchmaker.mme.strict_json import MAX_DEPTH, Json, inspect, printable, read, read_shallow
from matchmaker.mme.validation import validate
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.party import Peer

logger = logging.getLogger(__name__)

_REFUSALS = {401, 403, 406, 415, 429}
_MITOCHONDRION = {"M", "MT"}
_OK = 200
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = range(300, 400)
_CHUNK = 64 * 1024
_MAX_TOKEN = 254  # MME search-api: under 255 characters
_MAX_RESULTS = 1_000  # results examined; more are dropped unread, as nobody reads them
_WITHDRAWN = PeerFailure(Status.NOT_ASKED, "the case was changed or withdrawn meanwhile")
# Ours, and perhaps another's of the same name: left out, one more at a time, until the result is valid.
_OWN_ADDITIONS = ((), ("_explanation",), ("_score", "_explanation"), ("_score", "_explanation", "_solved"))
_MAX_TEXT = 100_000  # characters of a disclaimer; more is cut


class TokenUnreadable(Exception):
    """A peer's token file is missing or holds no token."""


@dataclass(frozen=True)
class PeerClient:
    """Asks peers over one session. `max_answer_bytes` is where an answer is cut."""

    session: aiohttp.ClientSession
    max_answer_bytes: int

    async def ask(
        self, peer: Peer, patient: Patient, still: Callable[[], Awaitable[bool]] | None = None
    ) -> PeerAnswer | PeerFailure:
        """POST one patient to a peer's /match, once. The caller sets the deadline. Errors: none but cancellation.

        `still` is asked in the moment before the body leaves: whether it may.
        """
        received = await self._request("POST", peer, "/match", _Guarded(body_for(peer, patient), still))
        if isinstance(received, PeerFailure):
            return received
        return await asyncio.to_thread(_read_answer, received)  # a stranger's JSON: not in the event loop

    async def heartbeat(self, peer: Peer, deadline_seconds: float) -> HeartbeatBody | PeerFailure:
        """GET a peer's /heartbeat. Errors: none but cancellation."""
        try:
            async with asyncio.timeout(deadline_seconds):
                received = await self._request("GET", peer, "/heartbeat", None)
        except TimeoutError as error:
            received = translated(error)
        if isinstance(received, PeerFailure):
            return received
        try:
            value = read(received)
            inspect(value, "")
            return validate(HeartbeatBody, value.get("heartbeat") if isinstance(value, dict) else None, "heartbeat")
        except RequestError as error:
            return PeerFailure(Status.INVALID, f"the heartbeat is not as it should be: {error.message}")

    async def _request(self, method: str, peer: Peer, path: str, body: "_Guarded | None") -> bytes | PeerFailure:
        try:
            headers = _headers(peer, read_token(Path(peer.token_file)), with_body=body is not None)
        except TokenUnreadable as error:
            logger.warning("peer %s is not asked: %s", peer.name, error)
            return PeerFailure(Status.NOT_ASKED, "its token cannot be read; the log of this node says why")
        try:
            url = peer.url.rstrip("/") + path
            async with self.session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                failed = _failed(response)
                return failed or await self._body(response)
        except _Withdrawn:
            return _WITHDRAWN
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError, ValueError) as error:
            return (
                PeerFailure(Status.NOT_ASKED, "the case was changed or withdrawn meanwhile")
                if _stopped(body)
                else translated(error)
            )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | PeerFailure:
        received = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            received += chunk
            if len(received) > self.max_answer_bytes:
                response.close()
                return PeerFailure(Status.INVALID, f"the answer is over {self.max_answer_bytes} bytes")
        return bytes(received)


class _Withdrawn(Exception):
    """The body may not leave any more."""


class _Guarded(aiohttp.BytesPayload):
    """A body that asks, in the moment in which it leaves, whether it still may."""

    def __init__(self, content: bytes, still: Callable[[], Awaitable[bool]] | None) -> None:
        super().__init__(content)
        self._still = still
        self.stopped = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body. Errors: _Withdrawn."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body. Errors: _Withdrawn."""
        if self._still is not None and not await self._still():
            self.stopped = True
            raise _Withdrawn
        await super().write_with_length(writer, content_length)


def _stopped(body: _Guarded | None) -> bool:
    return body is not None and body.stopped


def body_for(peer: Peer, patient: Patient) -> bytes:
    """Return what a peer is sent, to the letter."""
    spoken = _in_its_habits(patient, peer)
    return json.dumps({"patient": spoken.to_json()}, ensure_ascii=False).encode("utf-8")


def _in_its_habits(patient: Patient, peer: Peer) -> Patient:
    """Return the patient as the peer wants it written, where nodes differ from the letter of the API."""
    features = tuple(
        feature.model_copy(
            update={"variant": feature.variant.model_copy(update={"reference_name": peer.mitochondrion})}
        )
        if feature.variant and feature.variant.reference_name in _MITOCHONDRION
        else feature
        for feature in patient.genomic_features
    )
    return patient.model_copy(update={"genomic_features": features})


def read_token(path: Path) -> str:
    """Return the token in a file, blanks at its ends left out. Errors: TokenUnreadable."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise TokenUnreadable(f"the token file {path} cannot be read: {reason}") from None
    if not token or len(token) > _MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenUnreadable(
            f"the token file {path} holds no token: expected one line of 1 to {_MAX_TOKEN} characters"
        )
    return token


def open_session() -> aiohttp.ClientSession:
    """Return a session for asking peers: no cookies, no proxies from the environment, no reused connections.

    A reused connection may be closed by the peer just as a question is sent, and a question is never sent twice.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    )


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], Status, str], ...] = (
    ((TimeoutError,), Status.TIMEOUT, "did not answer in time"),
    (
        (aiohttp.ClientPayloadError, aiohttp.ClientResponseError),
        Status.INVALID,
        "the answer broke off or is no HTTP",
    ),
    (
        (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch),
        Status.UNREACHABLE,
        "its certificate is not trusted, or TLS failed",
    ),
    ((aiohttp.ServerDisconnectedError,), Status.UNREACHABLE, "closed the connection without an answer"),
    ((aiohttp.ClientConnectorDNSError, UnicodeError), Status.UNREACHABLE, "its host name is not known"),
    ((aiohttp.ClientConnectorError,), Status.UNREACHABLE, "nobody listens there, or nothing gets through"),
)


def translated(error: Exception) -> PeerFailure:
    """Return what an error of the HTTP client means to the user."""
    for kinds, status, reason in _MEANINGS:
        if isinstance(error, kinds):
            return PeerFailure(status, reason)
    return PeerFailure(Status.UNREACHABLE, f"cannot be reached ({type(error).__name__})")


def _headers(peer: Peer, token: str, *, with_body: bool) -> dict[str, str]:
    spoken = media_type(peer.version)
    headers = {
        "X-Auth-Token": token,
        "Accept": spoken,
        "Accept-Encoding": "identity",
        "User-Agent": "matchmaker",
    }
    return headers | {"Content-Type": spoken} if with_body else headers


def _failed(response: aiohttp.ClientResponse) -> PeerFailure | None:
    status = response.status
    if status in _REFUSALS:
        return PeerFailure(Status.REFUSED, f"refused with HTTP status {status}")
    if status in _SERVER_ERRORS:
        return PeerFailure(Status.ERROR, f"failed with HTTP status {status}")
    if status in _REDIRECTS:
        return PeerFailure(Status.INVALID, f"redirects (HTTP status {status}), which is never followed")
    if status != _OK:
        return PeerFailure(Status.INVALID, f"answered with HTTP status {status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return PeerFailure(Status.INVALID, "compressed its answer, though asked not to")
    return None


def _read_answer(body: bytes) -> PeerAnswer | PeerFailure:
    try:
        answer = read_shallow(body, MAX_DEPTH)
    except RequestError:
        return PeerFailure(Status.INVALID, "the answer is not JSON")
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        return PeerFailure(Status.INVALID, "the answer has no list of results")
    examined = enumerate(results[:_MAX_RESULTS])
    valid = [kept for n, result in examined if (kept := _result(result, f"results[{n}]"))]
    return PeerAnswer(tuple(valid), len(results) - len(valid), _text(answer, "disclaimer"), _text(answer, "terms"))


def _result(value: Json, path: str) -> MatchResult | None:
    """Return a result that is valid by itself. A peer's own additions are kept only where they have our form."""
    if not isinstance(value, dict):
        return None
    try:
        inspect(value, path, MAX_DEPTH - 2)
    except RequestError:
        return None
    for left_out in _OWN_ADDITIONS:
        try:
            return validate(MatchResult, _without(value, left_out), path)
        except InvalidRequest:
            continue
    return None


def _without(value: Mapping[str, Json], keys: tuple[str, ...]) -> dict[str, Json]:
    return {key: item for key, item in value.items() if key not in keys}


def _text(answer: Mapping[str, Any], key: str) -> str | None:
    value = answer.get(key)
    return printable_lines(value)[:_MAX_TEXT] if isinstance(value, str) and value.strip() else None


def printable_lines(text: str) -> str:
    """Return a peer's text with control characters escaped, its lines kept."""
    return "\n".join(printable(line, _MAX_TEXT) for line in text.splitlines())
