"""Every route says what it takes and gives, and no ORM object crosses the wire."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Response
from fastapi.exceptions import FastAPIError
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.api.errors import problems
from app.db.base import Base
from app.db.models.user import User
from app.schemas.base import Input, Output
from app.schemas.pages import Page
from app.schemas.users import UserCreate, UserRead
from tests.support.route_laws import relationships_that_load_by_themselves, routes_of, violations

COMPLETE = {"status_code": 200, "summary": "Does it", "responses": problems()}


class Loose(BaseModel):
    """A schema that ignores what it doesn't know."""

    name: str = ""


class Around(Input):
    inner: list[Loose] | None = None


class Leak(Output):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    user: User | None = None


def of(endpoint: object, **options: object) -> list[str]:
    """What the check says of one route with these options."""
    app, router = FastAPI(), APIRouter(prefix="/v1")
    router.post("/things", **(COMPLETE | options))(endpoint)  # type: ignore[arg-type] - any combination is of interest
    app.include_router(router)
    [route] = routes_of(app)
    return list(violations(route))


async def sound(new: UserCreate) -> Page[UserRead]: ...


def test_every_route_of_the_application_keeps_the_laws(shared_app: FastAPI) -> None:
    routes = routes_of(shared_app)

    assert len(routes) >= 10
    assert [violation for route in routes for violation in violations(route)] == []


def test_a_complete_route_passes() -> None:
    assert of(sound) == []


@pytest.mark.parametrize(
    ("option", "violation"),
    [
        ({"status_code": None}, "POST /v1/things states no status_code"),
        ({"response_model": None}, "POST /v1/things states no response_model"),
        ({"summary": None}, "POST /v1/things has no summary"),
        ({"responses": {}}, "POST /v1/things documents no error"),
        ({"responses": {404: {"description": "Not Found"}}}, "POST /v1/things documents no error"),
        ({"response_model": Leak}, "POST /v1/things answers with the ORM class User"),
        ({"response_model": dict[str, list[Leak | None]]}, "POST /v1/things answers with the ORM class User"),
    ],
    ids=["no status", "no model", "no summary", "no errors", "plain errors", "ORM object", "ORM object far inside"],
)
def test_an_incomplete_route_is_caught(option: dict[str, object], violation: str) -> None:
    assert of(sound, **option) == [violation]


def test_nothing_and_raw_responses_need_no_model() -> None:
    async def nothing() -> None: ...

    async def raw() -> Response: ...

    assert of(nothing, status_code=204) == []
    assert of(raw, response_class=Response, response_model=None) == []


def test_an_orm_class_is_no_response_model_at_all() -> None:
    with pytest.raises(FastAPIError):
        of(sound, response_model=User)


def test_an_input_that_ignores_unknown_fields_is_caught_wherever_it_is_read() -> None:
    async def body(new: Loose) -> UserRead: ...

    async def inside(new: Around) -> UserRead: ...

    async def query(query: Annotated[Loose, Query()]) -> UserRead: ...

    def provider(query: Annotated[Loose, Query()]) -> None: ...

    async def dependency(given: Annotated[None, Depends(provider)]) -> UserRead: ...

    expected = ["POST /v1/things takes Loose, which ignores unknown fields"]
    assert [of(endpoint) for endpoint in (body, inside, query, dependency)] == [expected] * 4


def test_no_relationship_loads_by_itself() -> None:
    mappers = list(Base.registry.mappers)

    assert mappers
    assert relationships_that_load_by_themselves(mappers) == []


def test_a_relationship_that_loads_by_itself_is_caught() -> None:
    class Own(DeclarativeBase): ...

    class Parent(Own):
        __tablename__ = "parents"
        id: Mapped[int] = mapped_column(primary_key=True)
        children: Mapped[list["Child"]] = relationship(lazy="selectin")

    class Child(Own):
        __tablename__ = "children"
        id: Mapped[int] = mapped_column(primary_key=True)
        parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))
        parent: Mapped[Parent] = relationship(lazy="raise", overlaps="children")

    assert relationships_that_load_by_themselves(Own.registry.mappers) == ["Parent.children"]
