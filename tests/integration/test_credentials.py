"""Where a credential may stand, and by which key access tokens are signed and verified."""

import httpx2
import pytest
from fastapi import FastAPI
from joserfc import jws

from app.core.identity import Scope
from app.db.models.user import User
from tests.support.accounts import (
    ME,
    Tokens,
    configure,
    opens,
    refresh,
    tokens_of,
    told,
)
from tests.support.application import OTHER_SECRET, SECRET
from tests.support.callers import Callers, header


async def test_a_credential_of_one_kind_does_not_pass_for_another(
    visitor: httpx2.AsyncClient, tokens: Tokens, ada: User, callers: Callers
) -> None:
    key = (await callers.with_key(ada, *Scope))["Authorization"].removeprefix("Bearer ")
    access, spare = tokens["access_token"], tokens["refresh_token"]
    assert (await visitor.get(ME, headers=header(key))).status_code == 200

    as_access = [await visitor.get(ME, headers=header(each)) for each in (spare, key[:-1], f"{key}.a.b", key.upper())]
    as_refresh = [await refresh(visitor, each) for each in (key, access[:200])]

    assert [told(each) for each in as_access] == [told(await visitor.get(ME))] * 4
    assert [each.json()["code"] for each in as_refresh] == ["refresh_refused"] * 2
    assert (await refresh(visitor, access)).status_code == 422  # too long to be one
    assert (await refresh(visitor, spare)).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "Token", "JWT", "Digest"])
async def test_another_scheme_is_no_credential(visitor: httpx2.AsyncClient, tokens: Tokens, scheme: str) -> None:
    response = await visitor.get(ME, headers={"Authorization": f"{scheme} {tokens['access_token']}"})

    assert response.status_code == 401


async def test_a_token_in_the_query_or_a_cookie_is_no_credential(visitor: httpx2.AsyncClient, tokens: Tokens) -> None:
    cookie = {"Cookie": f"access_token={tokens['access_token']}"}
    response = await visitor.get(ME, params={"access_token": tokens["access_token"]}, headers=cookie)

    assert response.status_code == 401


async def test_a_token_of_an_older_key_opens_as_long_as_the_key_is_configured(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    configure(app, secret_keys={"old": SECRET})
    old = await tokens_of(visitor, ada.email)

    configure(app, secret_keys={"new": OTHER_SECRET, "old": SECRET})
    assert await opens(visitor, old)
    new = await tokens_of(visitor, ada.email)
    configure(app, secret_keys={"new": OTHER_SECRET})

    assert not await opens(visitor, old)
    assert told(await visitor.get(ME, headers=header(old["access_token"]))) == told(await visitor.get(ME))
    assert await opens(visitor, new)


async def test_the_first_key_signs(app: FastAPI, visitor: httpx2.AsyncClient, ada: User) -> None:
    kids = []
    for keys in ({"one": SECRET}, {"two": OTHER_SECRET, "one": SECRET}):
        configure(app, secret_keys=keys)
        token = (await tokens_of(visitor, ada.email))["access_token"]
        kids.append(jws.extract_compact(token.encode()).headers())

    assert kids == [{"alg": "HS256", "kid": kid, "typ": "at+jwt"} for kid in ("one", "two")]


async def test_another_key_under_an_old_name_does_not_open_what_the_old_one_signed(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    configure(app, secret_keys={"one": SECRET})
    tokens = await tokens_of(visitor, ada.email)

    configure(app, secret_keys={"one": OTHER_SECRET})

    assert not await opens(visitor, tokens)
