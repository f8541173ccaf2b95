"""What of a user is shown to whom, and why a request about one is refused."""

import httpx2
import pytest

from app.core.identity import Scope
from tests.support.accounts import USERS
from tests.support.world import World

PRIVATE = {"email", "is_active", "created_at", "updated_at"}


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        ("other", False),
        ("owner", True),
        ("admin", True),
        ("key+", True),
        ("a-key", False),
        ("a-key+", True),
    ],
)
async def test_private_fields_of_a_user_are_for_the_owner_and_administrators(
    world: World, visitor: httpx2.AsyncClient, caller: str, *, sees: bool
) -> None:
    headers = await world.headers_of(caller)

    one = (await visitor.get(f"{USERS}/{world.owner.id}", headers=headers)).json()
    listed = (await visitor.get(USERS, headers=headers)).json()["items"]

    expected = {"id": str(world.owner.id), "name": world.owner.name}
    assert {name: one[name] for name in expected} == expected
    assert one.keys() == expected.keys() | (PRIVATE if sees else set())
    assert one in listed


async def test_in_a_list_each_sees_their_own_private_fields_only(world: World, visitor: httpx2.AsyncClient) -> None:

    listed = (await visitor.get(USERS, headers=await world.headers_of("other"))).json()["items"]

    shown = {user["id"]: user.keys() for user in listed}
    assert shown.pop(str(world.other.id)) == {"id", "name"} | PRIVATE
    assert all(fields == {"id", "name"} for fields in shown.values())


@pytest.mark.parametrize(
    ("scopes", "fields"),
    [([Scope.USERS_READ], {"id", "name"} | PRIVATE), ([Scope.USERS_READ, Scope.ADMIN], {"id", "name"} | PRIVATE)],
)
async def test_a_key_reads_its_owner_with_the_scope_for_it(
    world: World, visitor: httpx2.AsyncClient, scopes: list[Scope], fields: set[str]
) -> None:

    me = await visitor.get(f"{USERS}/me", headers=await world.callers.with_key(world.owner, *scopes))

    assert me.json().keys() == fields


async def test_a_refusal_names_its_reason(world: World, visitor: httpx2.AsyncClient) -> None:
    expected = {"anon": "not_authenticated", "other": "forbidden", "a-key": "scope_missing"}
    for caller, code in expected.items():
        headers = await world.headers_of(caller)
        refused = await visitor.patch(f"{USERS}/{world.owner.id}", json={"name": "Grace"}, headers=headers)
        assert refused.json()["code"] == code
        assert refused.headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in refused.headers) == (caller == "anon")


async def test_a_key_of_a_deactivated_account_opens_nothing(world: World, visitor: httpx2.AsyncClient) -> None:
    headers = await world.callers.with_key(world.owner, *Scope)
    assert (await visitor.get(f"{USERS}/me", headers=headers)).status_code == 200

    world.owner.is_active = False
    await world.save(world.owner)

    assert (await visitor.get(f"{USERS}/me", headers=headers)).status_code == 401
