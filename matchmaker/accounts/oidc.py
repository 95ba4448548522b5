"""Signing in at an OpenID provider: authorization code flow with PKCE. Every foreign error is translated here.

Who the provider names is all that is asked: what such a person may do here, others decide. No token is kept or logged.
Specifications: OpenID Connect Core 1.0 (Core), Discovery 1.0, RFC 6749, RFC 7636 (PKCE), RFC 9207 (`iss` in answers).
"""

import asyncio
import base64
import contextlib
import hashlib
import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from joserfc import jwk, jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from matchmaker.accounts.sessions import new_token, same
from matchmaker.mme.errors import RequestError
from matchmaker.mme.strict_json import parse, printable

_CHUNK = 64 * 1024
_MAX_ANSWER = 256 * 1024
_OK = 200
_HOUR, _MINUTE = 3_600.0, 60.0  # how long a document is kept; how soon unknown keys may be asked for again
_ATTEMPT_SECONDS = 600.0
_LEEWAY = 60.0
# The key type of each: asymmetric ones only. Ed25519 is EdDSA's new name (RFC 9864).
_KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
_LEAST_MODULUS = 342  # characters of base64url, 2,048 bits (RFC 7518, 3.3)
_MOST_SUBJECT = 255  # Core, 2
_MOST_ADDRESS = 254
_MOST_NAME = 100
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_LATE = "The sign-in provider did not answer in time. Please try again."


class SignInFailed(Exception):
    """A sign-in came to nothing. The message is one plain line for people, without any token or secret."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, as configured. Errors: ValueError, one plain line.

    `issuer` to the letter as the provider writes it: https, or http on loopback. A public client has no secret.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")

    def __post_init__(self) -> None:
        if not _may_be_asked(self.issuer, self.issuer) or "?" in self.issuer:
            raise ValueError("the issuer of a sign-in provider must be an https URL without query and fragment")
        if not self.client_id or "openid" not in self.scopes:
            raise ValueError("a sign-in provider needs a client id, and openid among its scopes")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in begun: kept by the caller with the browser's session, once, and dropped when it is finished."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun_at: float


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. Only `issuer` and `subject` together name somebody for ever (Core, 5.7).

    An `email` that is not `email_verified` proves nothing: no account may be found by it.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


class OidcClient:
    """Signs in at one provider. `session` sends no cookies; `redirect_uri` is registered there, to the letter.

    `chance` gives so many bytes that nobody can guess, `now` seconds since 1970.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        provider: Provider,
        redirect_uri: str,
        chance: Callable[[int], bytes],
        now: Callable[[], float],
        patience_seconds: float = 10.0,
    ) -> None:
        self._session, self._provider, self._redirect_uri = session, provider, redirect_uri
        self._chance, self._now, self._patience = chance, now, patience_seconds
        self._lock = asyncio.Lock()  # two people at once ask for a document once
        self._discovered: Mapping[str, Any] | None = None
        self._discovered_at = 0.0
        self._keys: tuple[Mapping[str, Any], ...] | None = None
        self._keys_at = 0.0

    async def begin(self) -> tuple[str, Attempt]:
        """Return the URL to send the browser to, and what to keep until it comes back. Errors: SignInFailed."""
        endpoint = _endpoint(await self._discovery(), "authorization_endpoint", self._provider.issuer)
        # RFC 7636, 4.1: a verifier of 256 bits; state and nonce are as hard to guess.
        state, nonce, verifier = (new_token(self._chance) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, self._now())
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": _challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked), attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identity:
        """Return who signed in, by the parameters with which the browser came back. Errors: SignInFailed."""
        now = self._now()
        if not -_LEEWAY <= now - attempt.begun_at <= _ATTEMPT_SECONDS:
            raise SignInFailed("The sign-in took longer than ten minutes. Please begin again.")
        if not same(answer.get("state", ""), attempt.state):
            raise SignInFailed("The sign-in was not begun in this browser. Please begin again.")
        discovery = await self._discovery()
        code = _code(answer, discovery, self._provider.issuer)
        tokens = await self._tokens(discovery, code, attempt)
        claims = await self._claims(discovery, tokens.get("id_token"))
        _check(claims, self._provider, attempt, self._now())
        if not isinstance(claims.get("email"), str) and "userinfo_endpoint" in discovery:
            claims = {**claims, **await self._userinfo(discovery, tokens, claims["sub"])}
        return _identity(claims, self._provider.issuer)

    async def _discovery(self) -> Mapping[str, Any]:
        """Return the provider's description, at most an hour old (Discovery, 4)."""
        async with self._alone():
            if self._discovered is None or not 0 <= self._now() - self._discovered_at < _HOUR:
                issuer = self._provider.issuer
                self._discovered = None
                found = await self._ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
                if found.get("issuer") != issuer:  # Discovery, 4.3: exactly
                    raise SignInFailed("The sign-in provider names another issuer than the one configured.")
                self._discovered, self._discovered_at = found, self._now()
            return self._discovered

    async def _tokens(self, discovery: Mapping[str, Any], code: str, attempt: Attempt) -> Mapping[str, Any]:
        """Exchange the code (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        if self._provider.client_secret is None:
            asked["client_id"] = self._provider.client_id
        else:
            headers["Authorization"] = _basic(self._provider.client_id, self._provider.client_secret)
        url = _endpoint(discovery, "token_endpoint", self._provider.issuer)
        return await self._ask("POST", url, asked, headers)

    async def _claims(self, discovery: Mapping[str, Any], token: object) -> Mapping[str, Any]:
        """Return what the ID token says, its signature verified. Keys that are not known are asked for once more."""
        if not isinstance(token, str):
            raise SignInFailed("The sign-in provider did not say who signed in.")
        signed = _extracted(token)
        keys = _fitting(await self._key_set(discovery, _HOUR), signed.headers())
        if not keys:
            keys = _fitting(await self._key_set(discovery, _MINUTE), signed.headers())
        return _verified(signed, keys)

    async def _key_set(self, discovery: Mapping[str, Any], oldest: float) -> tuple[Mapping[str, Any], ...]:
        """Return the provider's keys, of less than `oldest` seconds (Core, 10.1.1)."""
        async with self._alone():
            if self._keys is None or not 0 <= self._now() - self._keys_at < oldest:
                self._keys = None
                found = await self._ask("GET", _endpoint(discovery, "jwks_uri", self._provider.issuer))
                keys = found.get("keys")
                if not isinstance(keys, list):
                    raise SignInFailed("The sign-in provider's keys cannot be read.")
                self._keys, self._keys_at = tuple(key for key in keys if isinstance(key, dict)), self._now()
            return self._keys

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the lock. Who waits behind a provider that stalls does not wait for everybody's turn."""
        try:
            async with asyncio.timeout(self._patience):
                await self._lock.acquire()
        except TimeoutError:
            raise SignInFailed(_LATE) from None
        try:
            yield
        finally:
            self._lock.release()

    async def _userinfo(
        self, discovery: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        """Ask who the person is, where the ID token leaves it open (Core, 5.3)."""
        access, kind = tokens.get("access_token"), tokens.get("token_type")
        if not isinstance(access, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise SignInFailed("The sign-in provider's answer holds no access token.")
        if not access.isascii() or not access.isprintable():
            raise SignInFailed("The sign-in provider's access token cannot be read.")
        url = _endpoint(discovery, "userinfo_endpoint", self._provider.issuer)
        told = await self._ask("GET", url, headers={"Authorization": f"Bearer {access}"})
        if told.get("sub") != subject:  # Core, 5.3.2: else nothing of it may be used
            raise SignInFailed("The sign-in provider tells of another person than the one who signed in.")
        named = {"name": told["name"]} if "name" in told else {}
        # Both from here: what the token calls verified would be another address.
        return {"email": told.get("email"), "email_verified": told.get("email_verified"), **named}

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Ask the provider once, and return the JSON object it answers."""
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(self._patience),
                self._session.request(method, url, data=form, headers=sent, allow_redirects=False) as response,
            ):
                body = await _body(response)
        except TimeoutError:
            raise SignInFailed(_LATE) from None
        except (aiohttp.ClientError, OSError, ValueError):  # ValueError: URLs and encodings that are none
            raise SignInFailed("The sign-in provider cannot be reached. Please try again later.") from None
        return _json_object(body)


class _Algorithms(jws.JWSRegistry):
    """The signatures that are let pass. Header parameters nobody knows are passed over (RFC 7515, 4)."""

    max_header_length = 4096  # a certificate may be in it

    def get_alg(self, name: str) -> Any:  # the type is not public
        """Return an algorithm by name, without the warning that EdDSA's name is an old one. Errors: JoseError."""
        if name not in _KEY_TYPES:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


def _extracted(token: str) -> jws.CompactSignature:
    try:
        signed = jws.extract_compact(token.encode("ascii"), registry=_Algorithms())
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise SignInFailed("The sign-in provider's token cannot be read.") from None
    header = signed.headers()
    if not isinstance(header, dict) or "crit" in header or "b64" in header:  # RFC 7515, 4.1.11; RFC 7797
        raise SignInFailed("The sign-in provider's token has an extension that is not known.")
    if not isinstance(header.get("alg"), str) or header["alg"] not in _KEY_TYPES:
        raise SignInFailed("The sign-in provider's token is not signed as it must be.")
    return signed


def _fitting(keys: tuple[Mapping[str, Any], ...], header: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the keys that may have signed; without a `kid`, the only one there is (Core, 10.1)."""
    algorithm = header["alg"]
    fitting = [
        key
        for key in keys
        if key.get("kty") == _KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and not (key["kty"] == "RSA" and len(str(key.get("n"))) < _LEAST_MODULUS)
    ]
    if "kid" in header:
        return [key for key in fitting if key.get("kid") == header["kid"]]
    return fitting if len(fitting) == 1 else []


def _verified(signed: jws.CompactSignature, keys: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    if not keys:
        raise SignInFailed("The sign-in provider's token is signed by a key that it does not publish.")
    if not any(_is_signed_by(signed, key) for key in keys):
        raise SignInFailed("The sign-in provider's token has a wrong signature.")
    return _json_object(signed.payload)


def _is_signed_by(signed: jws.CompactSignature, key: Mapping[str, Any]) -> bool:
    registry = _Algorithms(strict_check_header=False)
    try:
        return jws.validate_compact(signed, jwk.import_key(dict(key)), registry=registry)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):  # a key of any form may be published
        return False


def _code(answer: Mapping[str, str], discovery: Mapping[str, Any], issuer: str) -> str:
    """Return the code of an answer whose state fits (RFC 6749, 4.1.2; RFC 9207, 2.4: `iss` before anything else)."""
    promised = discovery.get("authorization_response_iss_parameter_supported") is True
    if ("iss" in answer or promised) and answer.get("iss") != issuer:
        raise SignInFailed("The answer comes from another sign-in provider than the one asked.")
    if "error" in answer:
        raise SignInFailed(_refusal(answer["error"]))
    if not answer.get("code"):
        raise SignInFailed("The sign-in provider's answer is incomplete. Please begin again.")
    return answer["code"]


def _refusal(error: str) -> str:
    if error == "access_denied":
        return "The sign-in was refused or cancelled at the provider."
    told = f" ({error})" if _ERROR_CODE.fullmatch(error) else ""
    return f"The sign-in provider refused the sign-in{told}."


def _check(claims: Mapping[str, Any], provider: Provider, attempt: Attempt, now: float) -> None:
    """Refuse an ID token that is not for us, now, and this attempt (Core, 3.1.3.7)."""
    subject = claims.get("sub")
    if claims.get("iss") != provider.issuer:
        raise SignInFailed("The sign-in provider's token names another issuer.")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT or not subject.isprintable():
        raise SignInFailed("The sign-in provider's token does not say who signed in.")
    if not _is_for(claims, provider.client_id):
        raise SignInFailed("The sign-in provider's token is meant for another application.")
    if not same(str(claims.get("nonce")), attempt.nonce):
        raise SignInFailed("The sign-in provider's token belongs to another sign-in.")
    if not _is_timely(claims, now):
        raise SignInFailed("The sign-in provider's token is expired, or its clock or ours is wrong.")


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    authorized = claims.get("azp", None if len(several) > 1 else client_id)
    return client_id in several and authorized == client_id


def _is_timely(claims: Mapping[str, Any], now: float) -> bool:
    issued, expires, begins = (claims.get("iat"), claims.get("exp"), claims.get("nbf", 0))
    if not (_is_time(issued) and _is_time(expires) and _is_time(begins)):
        return False
    oldest = now - _ATTEMPT_SECONDS - _LEEWAY  # it was made within an attempt
    return now < expires + _LEEWAY and oldest <= issued <= now + _LEEWAY and begins <= now + _LEEWAY


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _identity(claims: Mapping[str, Any], issuer: str) -> Identity:
    email, name = claims.get("email"), claims.get("name")
    address = email if isinstance(email, str) and _is_address(email) else None
    # Some providers write the truth value as text.
    verified = address is not None and claims.get("email_verified") in (True, "true")
    shown = printable(name.strip(), _MOST_NAME) if isinstance(name, str) and name.strip() else None
    return Identity(issuer, claims["sub"], address, verified, shown)


def _is_address(text: str) -> bool:
    return len(text) <= _MOST_ADDRESS and text.isprintable() and _ADDRESS.fullmatch(text) is not None


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer as a stream, and cut it. A redirect is an answer like any other that is not 200."""
    if response.status != _OK:
        raise SignInFailed(f"The sign-in provider failed or refused (HTTP status {response.status}).")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise SignInFailed("The sign-in provider compressed its answer, though asked not to.")
    received = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        received += chunk
        if len(received) > _MAX_ANSWER:
            response.close()
            raise SignInFailed("The sign-in provider's answer is too long.")
    return bytes(received)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = parse(body)
    except RequestError:
        value = None
    if not isinstance(value, dict):
        raise SignInFailed("The sign-in provider's answer cannot be read.")
    return value


def _endpoint(discovery: Mapping[str, Any], name: str, issuer: str) -> str:
    url = discovery.get(name)
    if not isinstance(url, str) or not _may_be_asked(url, issuer):
        raise SignInFailed(f"The sign-in provider's {name} is missing, or not https.")
    return url


def _may_be_asked(url: str, issuer: str) -> bool:
    """Tell whether a URL is https, or http between an issuer and an endpoint that both are on loopback."""
    try:
        parts, host = urlsplit(url), urlsplit(issuer).hostname
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or "#" in url or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname) and _is_loopback(host))


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _basic(client_id: str, secret: str) -> str:
    """Return the client's credentials, form-urlencoded before they are joined (RFC 6749, 2.3.1)."""
    joined = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(joined.encode("ascii")).decode("ascii")


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()  # RFC 7636, 4.2: S256
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
