"""What a resource says of itself. Each has one file in tests/resources, and the tests that go through every route
read those: who may, what a body takes and what becomes of it, what a list can be asked, what the audit log says.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import httpx2

from app.core.identity import Scope
from app.db.base import Base
from tests.support.world import World

CALLERS = {
    "anon": "nobody",
    "other": "somebody else who signed in",
    "owner": "the owner of everything in the request, signed in",
    "admin": "an administrator who signed in",
    "key": "the owner's key with every scope but the route's and `admin`",
    "key+": "the owner's key with every scope",
    "a-key": "an administrator's key with every scope but `admin`",
    "a-key+": "an administrator's key with every scope",
    "gone": "the owner, deactivated, with an access token that was valid before",
}
EVERYBODY = " ".join(CALLERS)

type Values = Mapping[str, Any]
type Answers = Mapping[int, str]
"""Status -> the callers who get it; all of CALLERS, each once."""
type FromWorld[Value] = Callable[[World], Value]
type Check = Callable[[httpx2.AsyncClient, World], Awaitable[None]]


@dataclass(frozen=True)
class Field:
    """A field of a body: what to send, as the only change to the good request, and how its use is seen.

    Without anything else, the value has to appear under the field's name, in the response or in a row that is new or
    changed. Any value may be a function of the world.
    """

    value: Any
    by: str = "owner"
    """Who may send it. With `admin`, the owner has to be refused with `forbidden`."""
    beside: Values = field(default_factory=dict)
    """What has to be sent with it."""
    becomes: Values | None = None
    """What appears instead, for example {"published_at": None}; without the field it must not."""
    refused: str | None = None
    """The code with which this value is refused; for secrets, where the good value leaves no trace."""
    check: Check | None = None
    """For any other effect: asserts that it happened."""


@dataclass(frozen=True)
class Case:
    """Another request to the same route that gets other answers."""

    name: str
    answers: Answers
    options: FromWorld[Values] = lambda _: {}
    at: str | None = None
    """Another path of the same route, for example with the id of something else."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Many:
    """Thousands of rows, and the queries of their list: the last page of each must cost what the first does."""

    table: str
    statements: tuple[str, ...]
    queries: tuple[Values, ...] = ({},)
    at: str | None = None
    """The list's path, where it has parameters."""


@dataclass(frozen=True)
class Route:
    """A route, with a request that is good when the owner sends it."""

    method: str
    path: str
    answers: Answers
    shows_address_to: str = ""
    """The callers whom it shows the owner's e-mail address."""
    scope: Scope | None = None
    """What an API key needs besides being the right person's."""
    good: FromWorld[Values] = lambda _: {}
    """The body."""
    form: bool = False
    """The body is a form instead of JSON; OAuth2 wants unknown fields of it ignored (RFC 6749, 3.2)."""
    takes: Mapping[str, Field] = field(default_factory=dict)
    """Every field of the body. What isn't here has to be refused."""
    touches: frozenset[str] = frozenset()
    """Columns that a change may touch besides those of the fields it takes."""
    query: frozenset[str] = frozenset()
    """Every query parameter."""
    many: Many | None = None
    """To be stated for every list in pages."""
    records: tuple[str, ...] | None = None
    """What the audit log says when the owner sends the good request, oldest first; to be stated for every change."""
    ends_account: bool = False
    """It removes the owner; the audit log says afterwards what `goes_with_owner`."""
    answers_first: bool = False
    """It works after the response, so that the response tells nothing."""
    needs_confirmed_address: bool = False
    """Refused to accounts with an unconfirmed address, unless UNVERIFIED_MAY is `write`."""
    cases: tuple[Case, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def body(self, world: World, **more: Any) -> dict[str, Any]:
        """The options of a request with the good body, some of its fields replaced or added."""
        values = {**self.good(world), **more}
        if self.form:
            return {"data": values}
        return {"json": values} if self.takes else {}


@dataclass(frozen=True)
class Resource:
    """Routes and tables that belong together."""

    routes: tuple[Route, ...]
    rows: FromWorld[list[Base]] = lambda _: []
    """New rows of the owner's; their ids go into `world.ids`, under the names of path parameters."""
    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Each table, with its columns that are personal or secret."""
    goes_with_owner: tuple[str, ...] = ()
    """What the audit log says of these rows when their owner is deleted, in any order."""
    after: tuple[str, ...] = ()
    """The resources whose rows and ids have to be there first, because these refer to them."""


@cache
def described() -> Mapping[str, Resource]:
    """Every resource by the name of its file, each after those that its rows refer to."""
    import tests.resources as folder

    names = sorted(module.name for module in iter_modules(folder.__path__))
    found: dict[str, Resource] = {name: import_module(f"{folder.__name__}.{name}").RESOURCE for name in names}
    order = TopologicalSorter({name: resource.after for name, resource in found.items()})
    return {name: found[name] for name in order.static_order()}


def routes() -> list[Route]:
    return [route for resource in described().values() for route in resource.routes]


def changes() -> list[Route]:
    return [route for route in routes() if route.changes]


def lists() -> list[Route]:
    return [route for route in routes() if route.query]


def with_json() -> list[Route]:
    return [route for route in routes() if route.takes and not route.form]


def fields(by: str | None = None) -> list[tuple[Route, str]]:
    """Every field of every body; with `by`, those that only they may send."""
    return [(route, name) for route in routes() for name, each in route.takes.items() if by in (None, each.by)]


async def make_world(world: World) -> World:
    """Stores the accounts, and a row of the owner's of every kind."""
    await world.save(world.owner, world.other, world.admin)
    for resource in described().values():
        await world.save(*resource.rows(world))
    return world


def resolved(values: Values, world: World) -> dict[str, Any]:
    """The values themselves, where some are functions of the world."""
    return {name: value(world) if callable(value) else value for name, value in values.items()}


async def send(
    client: httpx2.AsyncClient,
    world: World,
    route: Route,
    headers: Mapping[str, str],
    *,
    at: str | None = None,
    **options: Any,
) -> httpx2.Response:
    """Sends the route's good request, or one with these options, about the world's own things."""
    path = (at or route.path).format(**world.ids)
    return await client.request(route.method, path, headers=headers, **(route.body(world) | options))
