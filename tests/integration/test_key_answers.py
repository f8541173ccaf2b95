"""What a key may not read, it doesn't get back from a write."""

from typing import Any

import httpx2
import pytest

from app.core.identity import Scope
from tests.support.accounts import USERS
from tests.support.world import World


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {}), ("PATCH", {"name": "A"}), ("POST", {"email": "a@example.com"})]
)
async def test_a_key_that_administrates_sees_no_address_without_the_scope_to_read_users(
    world: World, visitor: httpx2.AsyncClient, method: str, body: dict[str, Any]
) -> None:
    path = f"{USERS}/{world.owner.id}" if method == "PATCH" else USERS
    without = await world.callers.with_key(world.admin, Scope.ADMIN)
    with_it = await world.callers.with_key(world.admin, Scope.ADMIN, Scope.USERS_READ)

    answer = await visitor.request(method, path, json=body, headers=without)
    seen = await visitor.request(
        method, path, json=body | {"name": "B"} if method == "PATCH" else {"email": "b@example.com"}, headers=with_it
    )

    assert (answer.is_success, answer.json().keys()) == (True, {"id"})
    assert "email" in seen.json()
