"""A real OpenID provider on a real socket, able to misbehave on purpose: each vice is a name."""

import asyncio
import base64
import contextlib
import hashlib
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

CLIENT, SECRET = "node: ireland", "s3cret & söhne/+%"
REDIRECT = "https://ireland.example/sign-in/answer"
SUBJECT = "248289761001"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519", "HS256", "RS512", "none"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class OpenIdProvider:
    """`broken` maps a path, such as /token, to how it fails; `claims` change the ID token, `None` leaving one out."""

    now: Callable[[], float]
    url: str = ""
    secret: str | None = SECRET
    broken: dict[str, str] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    person: dict[str, Any] = field(default_factory=lambda: {"sub": SUBJECT})
    answer: dict[str, str | None] = field(default_factory=dict)
    signing: Key = field(default_factory=lambda: rsa_key("one"))
    published: list[dict[str, Any]] | None = None
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def keys(self) -> list[dict[str, Any]]:
        public = self.signing.as_dict(private=False)
        return [dict(public)] if self.published is None else self.published

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes([
            web.get("/.well-known/openid-configuration", self._watched(self._describe)),
            web.get("/authorize", self._watched(self._authorize)),
            web.post("/token", self._watched(self._token)),
            web.get("/jwks", self._watched(self._jwks)),
            web.get("/userinfo", self._watched(self._userinfo)),
            web.route("*", "/elsewhere", self._watched(self._userinfo)),
        ])  # fmt: skip
        return app

    def _watched(self, handler: Handler) -> Handler:
        async def watched(request: web.Request) -> web.StreamResponse:
            self.asked.append(request.path)
            vice = self.broken.get(request.path)
            return await (VICES[vice](request) if vice else handler(request))

        return watched

    async def _describe(self, _: web.Request) -> web.Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        ends["userinfo_endpoint"] = "userinfo"
        described = {"issuer": self.url, **{name: f"{self.url}/{path}" for name, path in ends.items()}}
        return web.json_response(without_none(described | self.discovery))

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        fixed = (query["response_type"], query["client_id"], query["code_challenge_method"])
        assert fixed == ("code", CLIENT, "S256")
        assert query["redirect_uri"] == REDIRECT
        assert "openid" in query["scope"].split()
        code = f"code & {len(self.codes)}"
        self.codes[code] = query
        told = without_none({"code": code, "state": query["state"], "iss": self.url} | self.answer)
        raise web.HTTPFound(f"{REDIRECT}?{urlencode(told)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        begun = self.codes.pop(form["code"], None)  # a code is good once
        if begun is None or form["redirect_uri"] != begun["redirect_uri"] or not self._is_client(request, form):
            return web.json_response({"error": "invalid_grant"}, status=400)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != begun["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        tokens = {"token_type": "Bearer", "access_token": "acc3ss", "id_token": self._id_token(begun)}
        return web.json_response(without_none(tokens | self.tokens))

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        if self.secret is None:
            return form.get("client_id") == CLIENT and "Authorization" not in request.headers
        kind, _, told = request.headers["Authorization"].partition(" ")
        name, _, secret = base64.b64decode(told).decode().partition(":")
        return kind == "Basic" and (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.secret)

    def _id_token(self, begun: dict[str, str]) -> str:
        now = int(self.now())
        claims = {"iss": self.url, "sub": SUBJECT, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": begun["nonce"]}
        claims |= {"email": "anna@hospital.example", "email_verified": True, "name": "Anna Ó Briain"}
        header = without_none({"alg": "RS256", "kid": self.signing.kid} | self.header)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some algorithms are old or bad is what is tested
            registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
            return jwt.encode(header, without_none(claims | self.claims), self.signing, registry=registry)

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys()})

    async def _userinfo(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer acc3ss":
            raise web.HTTPUnauthorized
        return web.json_response(self.person)


async def _long(_: web.Request) -> web.StreamResponse:
    return web.json_response({"filling": "x" * 300 * 1024})


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * 65_536)
    return response


async def _stalls(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise web.HTTPOk


async def _redirects(request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect(str(request.url.with_path("/elsewhere")))


async def _fails(_: web.Request) -> web.StreamResponse:
    raise web.HTTPInternalServerError


async def _hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response()


def _says(text: str, kind: str = "application/json", **headers: str) -> Handler:
    async def says(_: web.Request) -> web.StreamResponse:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=text.encode(), content_type=kind, headers=told)

    return says


VICES: dict[str, Handler] = {
    "long": _long,
    "endless": _endless,
    "stalls": _stalls,
    "redirects": _redirects,
    "fails": _fails,
    "hangs up": _hangs_up,
    "html": _says("<!doctype html><title>Sign in</title>", "text/html"),
    "list": _says("[]"),
    "empty": _says(""),
    "nested": _says('{"a":' + "[" * 100_000),
    "twice": _says('{"issuer": "a", "issuer": "b"}'),
    "compressed": _says("{}", Content_Encoding="gzip"),
}


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


def ec_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def okp_key(kid: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": kid})


def secret_of(public: Key, kid: str) -> OctKey:
    """The public key taken for a secret, as a forger does who knows no other."""
    assert isinstance(public, RSAKey)
    pem = public.as_pem(private=False)
    return OctKey(pem, pem, {"kid": kid})  # past import_key, which would not let it happen


@contextlib.asynccontextmanager
async def serving(provider: OpenIdProvider) -> AsyncIterator[None]:
    """Run a provider on 127.0.0.1."""
    runner = web.AppRunner(provider.application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
    finally:
        await runner.cleanup()
