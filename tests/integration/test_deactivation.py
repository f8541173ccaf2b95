"""An account that is activated again has its password and nothing else from before."""

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from tests.support.accounts import AUTH, ME, PASSWORD, USERS
from tests.support.callers import Callers
from tests.support.links import set_password
from tests.support.world import World


async def test_what_was_made_before_a_deactivation_stays_ended_after_it(
    world: World, visitor: httpx2.AsyncClient, callers: Callers
) -> None:
    credentials = [await callers.with_key(world.owner, *Scope), await callers.signed_in(world.owner)]
    admin = await callers.signed_in(world.admin)

    for active in (False, True):
        path = f"{USERS}/{world.owner.id}"
        assert (await visitor.patch(path, json={"is_active": active}, headers=admin)).status_code == 200

    assert [(await visitor.get(ME, headers=each)).status_code for each in credentials] == [401, 401]
    assert (await set_password(visitor, world.secrets["set_password"])).status_code == 422
    assert (await visitor.post(f"{AUTH}/token", data={"username": world.owner.email, "password": PASSWORD})).is_success


async def test_so_does_what_was_made_before_one_that_ended_nothing(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, callers: Callers
) -> None:
    key = await callers.with_key(world.owner, *Scope)
    admin = await callers.signed_in(world.admin)
    await connection.execute(text("UPDATE users SET is_active = false WHERE id = :id"), {"id": world.owner.id})

    await visitor.patch(f"{USERS}/{world.owner.id}", json={"is_active": True}, headers=admin)

    assert (await visitor.get(ME, headers=key)).status_code == 401
    assert (await set_password(visitor, world.secrets["set_password"])).status_code == 422
