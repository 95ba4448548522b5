"""Signing in at a real provider; and one that misbehaves, in every way that it can, brings nobody in."""

import asyncio
import base64
import json
import secrets
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import ClientSession, DummyCookieJar
from joserfc.jwk import RSAKey

from matchmaker.accounts.oidc import Attempt, Identity, OidcClient, Provider, SignInFailed
from tests.accounts.provider import (
    CLIENT,
    REDIRECT,
    SECRET,
    SUBJECT,
    VICES,
    OpenIdProvider,
    ec_key,
    okp_key,
    rsa_key,
    secret_of,
    serving,
)
from tests.clock import HOUR, Clock

KEY, OTHER = rsa_key("one"), rsa_key("two")
TOLD = {  # of each vice; of the others, that the answer cannot be read
    "long": "too long",
    "endless": "too long",
    "stalls": "in time",
    "redirects": "HTTP status 307",
    "fails": "HTTP status 500",
    "hangs up": "cannot be reached",
    "compressed": "compressed",
}


@dataclass
class World:
    """A provider, a client of it, and a browser between."""

    clock: Clock
    session: ClientSession
    provider: OpenIdProvider
    client: OidcClient = field(init=False)

    def connect(self, secret: str | None = SECRET, patience: float = 5.0) -> OidcClient:
        provider = Provider(self.provider.url, CLIENT, secret)
        self.client = OidcClient(
            self.session, provider, REDIRECT, secrets.token_bytes, lambda: self.clock.now, patience
        )
        return self.client

    async def browse(self, url: str) -> dict[str, str]:
        """Follow the URL as a browser does; return the parameters with which it comes back."""
        async with self.session.get(url, allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            location = response.headers["Location"]
        assert location.startswith(REDIRECT + "?")
        return dict(parse_qsl(urlsplit(location).query))

    async def sign_in(self) -> Identity:
        url, attempt = await self.client.begin()
        return await self.client.finish(attempt, await self.browse(url))

    async def refused(self) -> str:
        """Sign in to no avail; return what a person reads."""
        with pytest.raises(SignInFailed) as failed:
            await self.sign_in()
        message = str(failed.value)
        assert message.isprintable()
        assert message.endswith(".")
        assert not [secret for secret in (SECRET, "acc3ss", "eyJ") if secret in message]
        assert failed.value.__cause__ is None
        return message


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock()
    provider = OpenIdProvider(lambda: clock.now, signing=KEY)
    async with serving(provider), ClientSession(cookie_jar=DummyCookieJar()) as session:
        made = World(clock, session, provider)
        made.connect()
        yield made


async def test_a_person_signs_in(world: World) -> None:
    known = Identity(world.provider.url, SUBJECT, "anna@hospital.example", True, "Anna Ó Briain")
    assert await world.sign_in() == known
    assert "/userinfo" not in world.provider.asked


async def test_a_public_client_signs_in_without_a_secret(world: World) -> None:
    world.provider.secret = None
    world.connect(secret=None)
    assert (await world.sign_in()).subject == SUBJECT


async def test_a_wrong_secret_is_refused(world: World) -> None:
    world.connect(secret="wrong")
    assert "HTTP status 400" in await world.refused()


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [("RS256", rsa_key), ("PS256", rsa_key), ("ES256", ec_key), ("EdDSA", okp_key), ("Ed25519", okp_key)],
)
async def test_every_asymmetric_signature_is_known(world: World, algorithm: str, make: Callable[[str], Any]) -> None:
    world.provider.signing, world.provider.header = make("mine"), {"alg": algorithm}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        url, attempt = await world.client.begin()
        assert (await world.client.finish(attempt, await world.browse(url))).subject == SUBJECT


async def test_the_address_carries_what_the_specification_asks(world: World) -> None:
    world.provider.discovery = {"authorization_endpoint": f"{world.provider.url}/authorize?tenant=a%20b"}
    url, attempt = await world.client.begin()
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["tenant"] == "a b"  # RFC 6749, 3.1: a query there is kept
    assert asked["scope"] == "openid email profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], attempt.verifier}) == 4
    assert len(attempt.verifier) == 43
    assert attempt.verifier not in url


async def test_two_attempts_share_nothing(world: World) -> None:
    (_, one), (_, other) = await world.client.begin(), await world.client.begin()
    assert not {one.state, one.nonce, one.verifier} & {other.state, other.nonce, other.verifier}


def test_what_is_secret_is_not_shown() -> None:
    shown = repr(Provider("https://id.example", CLIENT, SECRET)) + repr(Attempt("st4te", "n0nce", "ver1fier", 0.0))
    assert not [secret for secret in (SECRET, "st4te", "n0nce", "ver1fier") if secret in shown]


# -- the browser's answer


async def test_a_foreign_state_is_refused(world: World) -> None:
    url, attempt = await world.client.begin()
    answer = await world.browse(url)
    for state in ("", "other", "\ud800", attempt.state + "x"):
        with pytest.raises(SignInFailed, match="not begun in this browser"):
            await world.client.finish(attempt, answer | {"state": state})
    with pytest.raises(SignInFailed, match="not begun in this browser"):
        await world.client.finish(attempt, {"code": answer["code"]})
    assert "/token" not in world.provider.asked


@pytest.mark.parametrize("seconds", [601, -61])
async def test_an_old_attempt_is_refused(world: World, seconds: float) -> None:
    url, attempt = await world.client.begin()
    answer = await world.browse(url)
    world.clock.now += seconds
    with pytest.raises(SignInFailed, match="ten minutes"):
        await world.client.finish(attempt, answer)


async def test_an_attempt_lasts_ten_minutes(world: World) -> None:
    url, attempt = await world.client.begin()
    answer = await world.browse(url)
    world.clock.now += 600
    assert (await world.client.finish(attempt, answer)).subject == SUBJECT


async def test_a_code_is_good_once(world: World) -> None:
    url, attempt = await world.client.begin()
    answer = await world.browse(url)
    await world.client.finish(attempt, answer)
    with pytest.raises(SignInFailed, match="HTTP status 400"):
        await world.client.finish(attempt, answer)


async def test_a_stolen_code_is_no_good_without_the_verifier(world: World) -> None:
    url, attempt = await world.client.begin()
    with pytest.raises(SignInFailed, match="HTTP status 400"):
        await world.client.finish(replace(attempt, verifier="x" * 43), await world.browse(url))


async def test_the_answer_of_another_provider_is_refused(world: World) -> None:
    """RFC 9207, 2.4: the mix-up attack."""
    world.provider.answer = {"iss": "https://evil.example"}
    assert "another sign-in provider" in await world.refused()
    assert "/token" not in world.provider.asked


async def test_iss_may_be_left_out_unless_it_was_promised(world: World) -> None:
    world.provider.answer = {"iss": None}
    assert (await world.sign_in()).subject == SUBJECT
    world.provider.discovery = {"authorization_response_iss_parameter_supported": True}
    world.connect()
    assert "another sign-in provider" in await world.refused()


@pytest.mark.parametrize(("error", "told"), [
    ("access_denied", "The sign-in was refused or cancelled at the provider."),
    ("server_error", "The sign-in provider refused the sign-in (server_error)."),
    ("<script>eyJ\n", "The sign-in provider refused the sign-in."),
])  # fmt: skip
async def test_the_providers_refusal_is_told(world: World, error: str, told: str) -> None:
    world.provider.answer = {"code": None, "error": error, "error_description": "send money"}
    assert await world.refused() == told


async def test_an_answer_without_a_code_is_refused(world: World) -> None:
    world.provider.answer = {"code": None}
    assert "incomplete" in await world.refused()


# -- the ID token


@pytest.mark.parametrize(("claims", "told"), [
    ({"nonce": "other"}, "another sign-in"),
    ({"nonce": None}, "another sign-in"),
    ({"nonce": ["other"]}, "another sign-in"),
    ({"aud": "other"}, "another application"),
    ({"aud": None}, "another application"),
    ({"aud": []}, "another application"),
    ({"aud": [CLIENT, "other"]}, "another application"),
    ({"aud": [CLIENT, "other"], "azp": "other"}, "another application"),
    ({"aud": ["other", "more"], "azp": CLIENT}, "another application"),
    ({"azp": "other"}, "another application"),
    ({"iss": "https://evil.example"}, "another issuer"),
    ({"iss": None}, "another issuer"),
    ({"exp": 1_799_999_940}, "expired"),
    ({"exp": None}, "expired"),
    ({"exp": True}, "expired"),
    ({"exp": "1800000300"}, "expired"),
    ({"iat": 1_800_000_061}, "expired"),
    ({"iat": 1_799_999_339}, "expired"),
    ({"iat": None}, "expired"),
    ({"nbf": 1_800_000_061}, "expired"),
    ({"exp": float("nan")}, "cannot be read"),
    ({"exp": float("inf")}, "cannot be read"),
    ({"sub": None}, "does not say who"),
    ({"sub": ""}, "does not say who"),
    ({"sub": 7}, "does not say who"),
    ({"sub": "x" * 256}, "does not say who"),
    ({"sub": "a\nb"}, "does not say who"),
])  # fmt: skip
async def test_a_token_that_is_not_for_us_and_now_is_refused(world: World, claims: dict[str, Any], told: str) -> None:
    world.provider.claims = claims
    assert told in await world.refused()


@pytest.mark.parametrize("claims", [
    {"exp": 1_799_999_941},
    {"iat": 1_800_000_060},
    {"nbf": 1_800_000_060},
    {"aud": [CLIENT]},
    {"aud": [CLIENT, "other"], "azp": CLIENT},
    {"azp": CLIENT},
])  # fmt: skip
async def test_a_minute_and_the_forms_of_the_specification_are_let_pass(world: World, claims: dict[str, Any]) -> None:
    world.provider.claims = claims
    assert (await world.sign_in()).subject == SUBJECT


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512"])
async def test_a_token_of_another_algorithm_is_refused(world: World, algorithm: str) -> None:
    world.provider.published = world.provider.keys()
    if algorithm == "HS256":  # RFC 8725, 2.1: signed with the public key, as if it were a secret
        world.provider.signing = secret_of(KEY, "one")
    if algorithm == "None":
        world.provider.tokens = {"id_token": "eyJhbGciOiJOb25lIn0.eyJzdWIiOiJhIn0."}
    else:
        world.provider.header = {"alg": algorithm}
    assert "not signed as it must be" in await world.refused()


async def test_a_published_secret_verifies_nothing(world: World) -> None:
    world.provider.signing = secret_of(KEY, "one")
    world.provider.header = {"alg": "HS256"}
    world.provider.published = [{**world.provider.signing.as_dict(private=True), "alg": "RS256"}]
    assert "not signed as it must be" in await world.refused()


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"b64": True}])
async def test_a_token_with_an_extension_is_refused(world: World, header: dict[str, Any]) -> None:
    world.provider.tokens = {"id_token": _unsigned({"alg": "RS256", "kid": "one", **header})}
    assert "extension" in await world.refused()


async def test_header_parameters_nobody_knows_are_passed_over(world: World) -> None:
    world.provider.header = {"nobody": "knows"}
    assert (await world.sign_in()).subject == SUBJECT


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "ü.ü.ü", 7, None, ["a"], "e30.e30.e30", "W10.e30.AA",
                                   "eyJhbGciOltdfQ.e30.AA", "eyJhbGciOiJSUzI1NiIsImtpZCI6W119.e30.AA", "a" * 200_000,
                                   "Ilth" + "W" * 4_000 + ".e30.AA"])  # fmt: skip
async def test_what_is_no_token_is_refused(world: World, token: object) -> None:
    world.provider.tokens = {"id_token": token}
    await world.refused()


async def test_a_changed_token_is_refused(world: World) -> None:
    """The key is known, and its name stands in the header; but another one signed."""
    world.provider.published = [dict(KEY.as_dict(private=False))]
    world.provider.signing, world.provider.header = OTHER, {"kid": "one"}
    assert "wrong signature" in await world.refused()


# -- the provider's keys


async def test_a_new_key_is_asked_for_once_a_minute(world: World) -> None:
    await world.sign_in()
    world.provider.signing = OTHER
    assert "does not publish" in await world.refused()
    assert world.provider.asked.count("/jwks") == 1
    world.clock.now += 60
    assert (await world.sign_in()).subject == SUBJECT
    assert world.provider.asked.count("/jwks") == 2
    await world.sign_in()
    assert world.provider.asked.count("/jwks") == 2


async def test_a_key_that_is_never_published_is_asked_for_once(world: World) -> None:
    await world.sign_in()
    world.provider.published, world.provider.signing = [dict(KEY.as_dict(private=False))], OTHER
    world.clock.now += 60
    for _ in range(3):
        assert "does not publish" in await world.refused()
    assert world.provider.asked.count("/jwks") == 2


async def test_a_withdrawn_key_is_forgotten_within_an_hour(world: World) -> None:
    await world.sign_in()
    world.provider.published = [dict(OTHER.as_dict(private=False))]
    world.clock.now += HOUR
    assert "does not publish" in await world.refused()


async def test_without_a_name_the_only_key_is_taken(world: World) -> None:
    """Core, 10.1: with several, the name must be there."""
    world.provider.header = {"kid": None}
    assert (await world.sign_in()).subject == SUBJECT
    world.provider.published = [dict(key.as_dict(private=False)) for key in (KEY, OTHER)]
    world.connect()
    assert "does not publish" in await world.refused()


@pytest.mark.parametrize("keys", [
    [],
    [{}],
    ["a", 7, None],
    [{"kty": "RSA", "kid": "one"}],
    [{"kty": "RSA", "kid": "one", "n": "A" * 400, "e": []}],
    [{"kty": "RSA", "kid": "one", "n": "!" * 400, "e": "AQAB"}],
    [{"kty": ["RSA"], "kid": "one"}],
    [{**KEY.as_dict(private=False), "use": "enc"}],
    [{**KEY.as_dict(private=False), "alg": "RS512"}],
    [{**KEY.as_dict(private=False), "key_ops": ["encrypt"]}],
    [{**KEY.as_dict(private=False), "kid": ["one"]}],
])  # fmt: skip
async def test_keys_of_another_form_verify_nothing(world: World, keys: list[Any]) -> None:
    world.provider.published = keys
    await world.refused()


async def test_a_short_key_verifies_nothing(world: World) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        world.provider.signing = RSAKey.generate_key(1024, {"kid": "short"})
    assert "does not publish" in await world.refused()


# -- who it is


async def test_the_address_is_asked_for_where_the_token_has_none(world: World) -> None:
    world.provider.claims = {"email": None, "email_verified": None, "name": None}
    world.provider.person |= {"email": "anna@other.example", "email_verified": "true", "name": "Anna"}
    assert await world.sign_in() == Identity(world.provider.url, SUBJECT, "anna@other.example", True, "Anna")


async def test_another_address_is_not_verified_by_the_token(world: World) -> None:
    world.provider.claims = {"email": None, "email_verified": True}
    world.provider.person |= {"email": "chief@hospital.example"}
    known = await world.sign_in()
    assert (known.email, known.email_verified, known.name) == ("chief@hospital.example", False, "Anna Ó Briain")


@pytest.mark.parametrize("subject", ["other", None, 7])
async def test_another_person_at_userinfo_is_refused(world: World, subject: object) -> None:
    world.provider.claims = {"email": None}
    world.provider.person = {"sub": subject, "email": "chief@hospital.example"}
    assert "another person" in await world.refused()


@pytest.mark.parametrize("tokens", [{"access_token": None}, {"access_token": 7}, {"access_token": "a\r\nX-Evil: 1"},
                                    {"access_token": "é"}, {"token_type": "mac"}, {"token_type": None}])  # fmt: skip
async def test_an_access_token_that_is_none_is_not_sent(world: World, tokens: dict[str, Any]) -> None:
    world.provider.claims, world.provider.tokens = {"email": None}, tokens
    assert "access token" in await world.refused()
    assert "/userinfo" not in world.provider.asked


@pytest.mark.parametrize(
    ("email", "verified"),
    [
        ("anna", True),
        ("a@b@c", True),
        ("anna@x.example\n", True),
        ("a b@x.example", True),
        ("", True),
        ("x" * 250 + "@x.example", True),
    ],
)
async def test_an_address_that_is_none_is_left_out(world: World, email: str, verified: bool) -> None:
    world.provider.claims = {"email": email, "email_verified": verified, "name": ""}
    known = await world.sign_in()
    assert (known.email, known.email_verified, known.name) == (None, False, None)


@pytest.mark.parametrize("verified", [None, False, "false", "yes", "True", 0, []])
async def test_an_address_is_verified_only_when_so_said(world: World, verified: object) -> None:
    world.provider.claims = {"email_verified": verified}
    assert not (await world.sign_in()).email_verified


async def test_without_userinfo_there_may_be_no_address(world: World) -> None:
    world.provider.claims, world.provider.discovery = {"email": None}, {"userinfo_endpoint": None}
    assert (await world.sign_in()).email is None


# -- the wire


@pytest.mark.parametrize("vice", VICES)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
async def test_a_provider_that_misbehaves_brings_nobody_in(world: World, path: str, vice: str) -> None:
    world.connect(patience=0.2 if vice == "stalls" else 5.0)
    world.provider.claims = {"email": None}
    world.provider.broken = {path: vice}
    assert TOLD.get(vice, "cannot be read") in await world.refused()
    assert "/elsewhere" not in world.provider.asked


async def test_nobody_waits_for_everybodys_turn_at_a_provider_that_stalls(world: World) -> None:
    world.connect(patience=0.2)
    world.provider.broken = {"/.well-known/openid-configuration": "stalls"}
    begun = asyncio.get_running_loop().time()
    failed = await asyncio.gather(*(world.client.begin() for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in failed} == {SignInFailed}
    assert asyncio.get_running_loop().time() - begun < 2


async def test_after_a_failure_all_is_asked_anew(world: World) -> None:
    for path in ("/.well-known/openid-configuration", "/jwks"):
        world.provider.broken = {path: "fails"}
        await world.refused()
    world.provider.broken = {}
    assert (await world.sign_in()).subject == SUBJECT


async def test_a_provider_that_is_not_there_brings_nobody_in(world: World) -> None:
    world.provider.url = "http://127.0.0.1:1"
    world.connect()
    assert "cannot be reached" in await world.refused()


async def test_the_description_is_kept_for_an_hour(world: World) -> None:
    await asyncio.gather(*(world.client.begin() for _ in range(5)))
    world.clock.now += HOUR - 1
    await world.client.begin()
    assert world.provider.asked == ["/.well-known/openid-configuration"]
    world.clock.now += 1
    await world.client.begin()
    assert len(world.provider.asked) == 2


@pytest.mark.parametrize("issuer", ["https://evil.example", None, 7])
async def test_a_description_of_another_issuer_is_refused(world: World, issuer: object) -> None:
    world.provider.discovery = {"issuer": issuer}
    assert "another issuer" in await world.refused()


async def test_the_issuer_is_compared_to_the_letter(world: World) -> None:
    world.provider.discovery = {"issuer": world.provider.url + "/"}
    assert "another issuer" in await world.refused()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        "http://id.example/",
        "ftp://127.0.0.1/",
        "https://",
        "https://a@id.example/",
        "https://id.example/#x",
        "javascript:alert(1)",
        "https://[",
        "https://id.example/\n",
        "",
        7,
        "/token",
    ],
)
async def test_an_endpoint_that_is_not_safe_is_not_asked(world: World, name: str, url: object) -> None:
    world.provider.claims, world.provider.discovery = {"email": None}, {name: url}
    assert name in await world.refused()


@pytest.mark.parametrize(("issuer", "client", "scopes"), [
    ("http://id.example", CLIENT, ("openid",)),
    ("https://id.example?x", CLIENT, ("openid",)),
    ("https://id.example#x", CLIENT, ("openid",)),
    ("https://a:b@id.example", CLIENT, ("openid",)),
    ("id.example", CLIENT, ("openid",)),
    ("", CLIENT, ("openid",)),
    ("https://id.example", "", ("openid",)),
    ("https://id.example", CLIENT, ("email",)),
])  # fmt: skip
def test_a_provider_that_cannot_be_is_refused(issuer: str, client: str, scopes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="provider"):
        Provider(issuer, client, None, scopes)


def _unsigned(header: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode() + ".e30.AA"
