"""Who may do what: every route for every kind of caller, as each resource describes it (tests/resources).

Nobody here is let in by an override.
"""

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from tests.support.accounts import configure
from tests.support.database import undone
from tests.support.resources import CALLERS, Answers, Case, Route, described, routes, send
from tests.support.world import World

REQUESTS = [(route, case) for route in routes() for case in (Case("as usual", route.answers), *route.cases)]
SCOPED = [route for route in routes() if route.scope]


def by_status(answers: Answers, hundreds: int) -> list[str]:
    """The callers who get such a status."""
    return [caller for status, who in answers.items() if status // 100 == hundreds for caller in who.split()]


def test_every_route_is_described_once(shared_app: FastAPI) -> None:
    stated = [route.key for route in routes()]
    there = {
        (method, route.path)
        for route in iter_route_contexts(shared_app.routes)
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
        if route.path
    }
    missing, gone = there - set(stated), set(stated) - there

    assert not missing, (
        f"not described: {sorted(missing)}. Write tests/resources/<resource>.py with RESOURCE = Resource(routes=(Route("
        "method, path, answers={status: callers, …}, …), …)); tests/support/resources.py says what each part means"
    )
    assert not gone, (
        f"described, but not there: {sorted(gone)}. Delete them from {sorted(described())} in tests/resources"
    )
    assert len(stated) == len(set(stated))


@pytest.mark.parametrize(("route", "case"), REQUESTS, ids=str)
def test_every_caller_has_one_answer(route: Route, case: Case) -> None:
    assert sorted(" ".join(case.answers.values()).split()) == sorted(CALLERS), f"{route} {case}: {', '.join(CALLERS)}"


@pytest.mark.parametrize(("route", "case"), REQUESTS, ids=str)
async def test_each_caller_gets_the_stated_answer(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route, case: Case
) -> None:
    address = str(world.owner.email)
    answers: dict[int, list[str]] = {}
    shown_address = set()
    for caller in CALLERS:
        async with undone(connection):
            headers = await world.headers_of(caller, route.scope)
            response = await send(visitor, world, route, headers, at=case.at, **case.options(world))
        answers.setdefault(response.status_code, []).append(caller)
        if address in response.text + str(response.headers):
            shown_address.add(caller)
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"
            assert ("www-authenticate" in response.headers) == (response.status_code == 401)

    stated = {status: [each for each in CALLERS if each in who.split()] for status, who in case.answers.items()}
    assert answers == stated
    succeeded = {caller for status, callers in answers.items() if status < 400 for caller in callers}
    assert shown_address == succeeded & set(route.shows_address_to.split())


@pytest.mark.parametrize("route", SCOPED, ids=str)
async def test_a_route_takes_its_scope_and_no_other(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    others = await world.callers.with_key(world.owner, *(each for each in Scope if each is not route.scope))
    right = await world.callers.with_key(world.owner, Scope(str(route.scope)))

    refused = await send(visitor, world, route, others)
    allowed = await send(visitor, world, route, right)

    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert allowed.is_success


OF_THE_OWNER = [each for each in routes() if "other" not in [*by_status(each.answers, 2), *by_status(each.answers, 3)]]


@pytest.mark.parametrize("route", OF_THE_OWNER, ids=str)
async def test_a_key_may_no_more_than_its_owner(world: World, visitor: httpx2.AsyncClient, route: Route) -> None:
    key = await world.callers.with_key(world.other, *Scope)

    assert (await send(visitor, world, route, key)).status_code in (401, 403, 404)


@pytest.mark.parametrize("route", [each for each in routes() if each.needs_confirmed_address], ids=str)
async def test_an_unconfirmed_account_writes_nothing_where_it_may_only_read(
    app: FastAPI, world: World, visitor: httpx2.AsyncClient, route: Route
) -> None:
    world.owner.email_verified_at = None
    signed_in, key = await world.callers.signed_in(world.owner), await world.callers.with_key(world.owner, *Scope)
    configure(app, unverified_may="read")

    refused = [await send(visitor, world, route, headers) for headers in (signed_in, key)]
    configure(app, unverified_may="write")
    allowed = await send(visitor, world, route, signed_in)

    assert [(each.status_code, each.json()["code"]) for each in refused] == [(403, "email_unverified")] * 2
    assert allowed.is_success
