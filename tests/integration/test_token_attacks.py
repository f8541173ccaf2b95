"""Access tokens that aren't ours, not valid now, or not tokens at all: whatever is wrong, the answer is the same."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, sha512
from time import time
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from joserfc import jwk, jws

from app.core.product import COMMAND
from tests.support.accounts import (
    AUTH,
    ME,
    USERS,
    Tokens,
    claims_of,
    configure,
    hashed,
    opens,
    tokens_of,
    told,
)
from tests.support.application import OTHER_SECRET, SECRET
from tests.support.callers import Save, header
from tests.support.users import new_user

# Seventy ways to one refusal: the tracer would take more time than they do.
pytestmark = pytest.mark.no_cover

KEYS = {"new": OTHER_SECRET, "test": SECRET}
RSA = jwk.RSAKey.generate_key(2048)
EC = jwk.ECKey.generate_key("P-256")
PUBLIC_PEM = RSA.as_pem(private=False)


def key_of(secret: str) -> bytes:
    """What the service signs access tokens with."""
    return hmac.digest(secret.encode(), b"postern:access", sha256)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header_bytes: bytes, payload: bytes, key: bytes, hash_function: Any = sha256) -> str:
    content = f"{b64(header_bytes)}.{b64(payload)}"
    return f"{content}.{b64(hmac.digest(key, content.encode(), hash_function))}"


@dataclass(frozen=True)
class Forger:
    """Starts from a token that opens Ada's session, and knows of another account and its session."""

    genuine: str
    claims: dict[str, Any]
    other: dict[str, Any]

    def token(self, *, header: dict[str, Any] | None = None, key: bytes | None = None, **claims: Any) -> str:
        """The genuine token but for what is given; Ellipsis leaves a field out."""
        headers = {"alg": "HS256", "kid": "test", "typ": "at+jwt"} | (header or {})
        payload = self.claims | claims
        return signed(_json(headers), _json(payload), key_of(SECRET) if key is None else key)

    def signed_by(self, key: Any, header: dict[str, Any]) -> str:
        """With one of joserfc's keys."""
        headers = {"kid": "test", "typ": "at+jwt"} | header
        algorithms = [header["alg"]]
        return jws.serialize_compact(headers, json.dumps(self.claims), key, algorithms, _Lenient(algorithms=algorithms))

    @property
    def parts(self) -> list[str]:
        return self.genuine.split(".")


class _Lenient(jws.JWSRegistry):
    """Signs with whichever header an attacker likes."""

    def check_header(self, header: dict[str, Any], *_: Any) -> None:
        return


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


@pytest.fixture
async def forger(visitor: httpx2.AsyncClient, tokens: Tokens, save: Save) -> Forger:
    await save(new_user(email="grace@example.com", password_hash=hashed()))
    other = await tokens_of(visitor, "grace@example.com")
    return Forger(tokens["access_token"], claims_of(tokens), claims_of(other))


async def test_what_the_forger_signs_with_the_services_own_key_opens_the_session(
    visitor: httpx2.AsyncClient, forger: Forger
) -> None:
    """So that each refusal below is for the one thing that it changes."""
    assert await opens(visitor, {"access_token": forger.token()})
    assert await opens(visitor, {"access_token": forger.token(aud=[COMMAND, "others"], unknown="claim")})
    assert await opens(visitor, {"access_token": forger.token(iat=int(time()) + 2)})  # a clock that is a bit ahead


type Attack = Callable[[Forger], str]
ATTACKS: dict[str, Attack] = {
    # The algorithm.
    "none": lambda f: f"{b64(_json({'alg': 'none', 'kid': 'test', 'typ': 'at+jwt'}))}.{f.parts[1]}.",
    "NONE": lambda f: f"{b64(_json({'alg': 'NONE', 'kid': 'test', 'typ': 'at+jwt'}))}.{f.parts[1]}.",
    "none with the signature kept": lambda f: ".".join([b64(_json({"alg": "none", "typ": "at+jwt"})), *f.parts[1:]]),
    "no algorithm": lambda f: f.token(header={"alg": ...}),
    "an algorithm that is a list": lambda f: f.token(header={"alg": ["HS256"]}),
    "an algorithm that is null": lambda f: f.token(header={"alg": None}),
    "HS512, by the right key": lambda f: signed(
        _json({"alg": "HS512", "kid": "test", "typ": "at+jwt"}), _json(f.claims), key_of(SECRET), sha512
    ),
    "HS256 in lower case": lambda f: f.token(header={"alg": "hs256"}),
    "RS256, by a key of the attacker's": lambda f: f.signed_by(RSA, {"alg": "RS256"}),
    "PS256, by a key of the attacker's": lambda f: f.signed_by(RSA, {"alg": "PS256"}),
    "ES256, by a key of the attacker's": lambda f: f.signed_by(EC, {"alg": "ES256"}),
    "HS256, by a public key as the secret": lambda f: f.token(key=PUBLIC_PEM),
    "RS256 said, HS256 done by a public key": lambda f: f.token(header={"alg": "RS256"}, key=PUBLIC_PEM),
    "RS256 said, HS256 done by the right key": lambda f: f.token(header={"alg": "RS256"}),
    "an empty secret": lambda f: f.token(key=b""),
    "the secret itself rather than what is derived of it": lambda f: f.token(key=SECRET.encode()),
    # A key that the token brings along.
    "jwk": lambda f: f.signed_by(RSA, {"alg": "RS256", "jwk": RSA.as_dict(private=False)}),
    "jwk of a secret": lambda f: f.token(
        header={"jwk": {"kty": "oct", "k": b64(b"x" * 32), "kid": "test"}}, key=b"x" * 32
    ),
    "jku": lambda f: f.token(header={"jku": "http://127.0.0.1:1/jwks.json"}, key=b"x" * 32),
    "jku of the attacker's key": lambda f: f.signed_by(RSA, {"alg": "RS256", "jku": "http://127.0.0.1:1/jwks"}),
    "x5u": lambda f: f.token(header={"x5u": "http://127.0.0.1:1/key.pem"}, key=b"x" * 32),
    "x5c": lambda f: f.signed_by(RSA, {"alg": "RS256", "x5c": [base64.b64encode(PUBLIC_PEM).decode()]}),
    # The key's name.
    "kid with SQL": lambda f: f.token(header={"kid": "' UNION SELECT 'x' --"}, key=b"x"),
    "kid with a path": lambda f: f.token(header={"kid": "../../../../dev/null"}, key=b""),
    "kid with a command": lambda f: f.token(header={"kid": "test|id"}, key=b"x"),
    "kid with a NUL": lambda f: f.token(header={"kid": "test\x00"}),
    "kid that is a list": lambda f: f.token(header={"kid": ["test"]}),
    "kid that is a number": lambda f: f.token(header={"kid": 0}),
    "kid that is null": lambda f: f.token(header={"kid": None}, key=b"x" * 32),
    "kid of another key of ours": lambda f: f.token(header={"kid": "new"}),
    "no kid": lambda f: f.token(header={"kid": ...}),
    "kid unknown": lambda f: f.token(header={"kid": "unknown"}),
    "another service's secret": lambda f: f.token(key=key_of("a secret that isn't ours, whatever it is")),
    # Other headers.
    "no typ": lambda f: f.token(header={"typ": ...}),
    "typ of an ID token": lambda f: f.token(header={"typ": "JWT"}),
    "typ that is a list": lambda f: f.token(header={"typ": ["at+jwt"]}),
    "crit of an unknown field": lambda f: f.token(header={"crit": ["exp"], "exp": 1}),
    "crit that is a number": lambda f: f.token(header={"crit": 1}),
    "crit with an object": lambda f: f.token(header={"crit": [{}]}),
    "a payload that isn't encoded": lambda f: f.token(header={"crit": ["b64"], "b64": False}),
    "a header that is a list": lambda f: f"{b64(b'[]')}.{f.parts[1]}.{f.parts[2]}",
    "a header that is null": lambda f: f"{b64(b'null')}.{f.parts[1]}.{f.parts[2]}",
    "a header that isn't UTF-8": lambda f: f"{b64(bytes([255, 254]))}.{f.parts[1]}.{f.parts[2]}",
    "a header that nests deeply": lambda f: f"{b64(b'[' * 3000)}.{f.parts[1]}.{f.parts[2]}",
    "a header with a huge number": lambda f: f"{b64(b'{"alg":' + b'9' * 5000 + b'}')}.{f.parts[1]}.{f.parts[2]}",
    # Claims, rightly signed.
    "another audience": lambda f: f.token(aud="others"),
    "an audience among others": lambda f: f.token(aud=["others"]),
    "an audience that is a number": lambda f: f.token(aud=1),
    "another issuer": lambda f: f.token(iss="others"),
    "an issuer in another case": lambda f: f.token(iss=COMMAND.upper()),
    "expired": lambda f: f.token(iat=int(time()) - 960, exp=int(time()) - 60),
    "expired long ago": lambda f: f.token(exp=0),
    "an end before all time": lambda f: f.token(exp=-1),
    "an end that is a text": lambda f: f.token(exp="9999999999"),
    "an end that is no number": lambda f: f.token(exp=float("nan")),
    "an end that never comes": lambda f: f.token(exp=float("inf")),
    "an end that is true": lambda f: f.token(exp=True),
    "issued in the far future": lambda f: f.token(iat=int(time()) + 3600, exp=int(time()) + 7200),
    "not valid yet": lambda f: f.token(nbf=int(time()) + 3600),
    **{
        f"without {claim}": lambda f, claim=claim: f.token(**{claim: ...})
        for claim in ("iss", "aud", "exp", "iat", "sub", "jti", "sid")
    },
    **{
        f"{claim} is null": lambda f, claim=claim: f.token(**{claim: None})
        for claim in ("iss", "aud", "exp", "iat", "sub", "jti", "sid")
    },
    "somebody else's subject": lambda f: f.token(sub=f.other["sub"]),
    "somebody else's session": lambda f: f.token(sid=f.other["sid"]),
    "a session that isn't there": lambda f: f.token(sid=str(uuid4())),
    "a subject who isn't there": lambda f: f.token(sub=str(uuid4())),
    "a session that is no id": lambda f: f.token(sid="' OR true --"),
    "a session that is a number": lambda f: f.token(sid=1),
    "a session that is a list": lambda f: f.token(sid=[f.claims["sid"]]),
    "a subject that is no id": lambda f: f.token(sub="admin"),
    "a subject that is a list": lambda f: f.token(sub=[f.claims["sub"]]),
    "claims that are a list": lambda f: signed(
        _json({"alg": "HS256", "kid": "test", "typ": "at+jwt"}), b"[]", key_of(SECRET)
    ),
    "claims that aren't JSON": lambda f: signed(
        _json({"alg": "HS256", "kid": "test", "typ": "at+jwt"}), b"{", key_of(SECRET)
    ),
    # The token as such.
    "a tampered payload": lambda f: (
        f"{f.parts[0]}.{b64(_json(f.claims | {'sub': f.other['sub'], 'sid': f.other['sid']}))}.{f.parts[2]}"
    ),
    "a tampered signature": lambda f: f.genuine[:-10] + ("A" if f.genuine[-10] != "A" else "B") + f.genuine[-9:],
    "a truncated signature": lambda f: f.genuine[:-10],
    "the signature stripped": lambda f: f"{f.parts[0]}.{f.parts[1]}.",
    "without its last dot": lambda f: f"{f.parts[0]}.{f.parts[1]}",
    "an extra dot": lambda f: f"{f.genuine}.",
    "an extra dot in front": lambda f: f".{f.genuine}",
    "five parts": lambda f: f"{f.genuine}.a.b",
    "dots alone": lambda f: "....",
    "huge": lambda f: f"{f.parts[0]}.{'A' * 100_000}.{f.parts[2]}",
    "huge signature": lambda f: f"{f.genuine}{'A' * 100_000}",
    "not ASCII": lambda f: "é.é.é",
    "not ASCII in a part": lambda f: f"{f.parts[0]}é.{f.parts[1]}.{f.parts[2]}",
    "twice": lambda f: f"{f.genuine},{f.genuine}",
    "after a space": lambda f: f"x {f.genuine}",
    "as an API key": lambda f: f"postern_{f.genuine}",
    "nothing": lambda f: "",
    "a word": lambda f: "administrator",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_is_refused(
    app: FastAPI, visitor: httpx2.AsyncClient, forger: Forger, attack: str
) -> None:
    configure(app, secret_keys=KEYS)
    assert await opens(visitor, {"access_token": forger.genuine})
    credential = f"Bearer {ATTACKS[attack](forger)}".encode("latin-1")

    refused = await visitor.get(ME, headers={b"Authorization": credential})

    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["code"] == "not_authenticated"
    assert told(refused) == told(await visitor.get(ME))


async def test_a_forged_token_is_refused_even_where_none_is_needed(visitor: httpx2.AsyncClient, forger: Forger) -> None:
    response = await visitor.get(USERS, headers=header(ATTACKS["none"](forger)))

    assert response.status_code == 401


async def test_an_ended_session_of_somebody_else_is_no_way_in(visitor: httpx2.AsyncClient, forger: Forger) -> None:
    others = forger.token(sub=forger.other["sub"], sid=forger.other["sid"])
    assert await opens(visitor, {"access_token": others})
    await visitor.post(f"{AUTH}/logout", headers=header(others))

    for claims in ({"sid": forger.other["sid"]}, {"sub": forger.other["sub"], "sid": forger.other["sid"]}):
        refused = await visitor.get(ME, headers=header(forger.token(**claims)))
        assert told(refused) == told(await visitor.get(ME))
