"""The laws for routes, schemas and mappers, checked on the objects that the framework made of them."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapper, RelationshipProperty

from app.api.errors import MEDIA_TYPE


def routes_of(app: FastAPI) -> list[RouteContext]:
    return [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]


def violations(route: RouteContext) -> Iterator[str]:
    """What the route leaves unsaid, takes unchecked or gives away. A class for raw responses counts as a purpose."""
    where = f"{', '.join(sorted(route.methods or ()))} {route.path}"
    if route.status_code is None:
        yield f"{where} states no status_code"
    if (
        route.response_model is None
        and route.status_code != 204
        and isinstance(route.response_class, DefaultPlaceholder)
    ):
        yield f"{where} states no response_model"
    if not route.summary:
        yield f"{where} has no summary"
    documented = [status for status, response in route.responses.items() if MEDIA_TYPE in response.get("content", {})]
    if not documented:
        yield f"{where} documents no error"
    for kind in types_within(route.response_model):
        if issubclass(kind, DeclarativeBase):
            yield f"{where} answers with the ORM class {kind.__name__}"
    for kind in input_models(route.dependant):
        if kind.model_config.get("extra") != "forbid":
            yield f"{where} takes {kind.__name__}, which ignores unknown fields"


def input_models(dependant: Dependant) -> Iterator[type[BaseModel]]:
    """Every schema that a route and its dependencies read from the body, the query, headers and cookies."""
    places = (dependant.body_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    for parameter in (each for place in places for each in place):
        for kind in types_within(parameter.field_info.annotation):
            if issubclass(kind, BaseModel):
                yield kind
    for inner in dependant.dependencies:
        yield from input_models(inner)


def types_within(annotation: Any, seen: set[Any] | None = None) -> Iterator[type]:
    """Every class in an annotation: in unions, containers and the fields of models."""
    seen = set() if seen is None else seen
    if annotation in seen:
        return
    seen.add(annotation)
    inside: Iterable[Any] = get_args(annotation)
    if isinstance(annotation, type) and not inside:
        yield annotation
        if issubclass(annotation, BaseModel):
            inside = (field.annotation for field in annotation.model_fields.values())
    for each in inside:
        if isinstance(each, type) or get_args(each):
            yield from types_within(each, seen)


def relationships_that_load_by_themselves(mappers: Iterable[Mapper[Any]]) -> list[str]:
    """Relationships that aren't `lazy="raise"`: on an async session they fail late, or load one row at a time."""
    relationships: list[RelationshipProperty[Any]] = [each for mapper in mappers for each in mapper.relationships]
    return [str(each) for each in relationships if each.lazy != "raise"]
