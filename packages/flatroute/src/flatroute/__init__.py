"""FastAPI's GET routes, compiled at start-up into flat handlers that answer with the same bytes."""

import logging

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from flatroute.survey import SurveyedRoute

__all__ = ["SurveyedRoute", "install", "survey"]

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """From now on, the application's compiled routes answer; everything else stays FastAPI's. Routes may follow.

    ValueError when the router has middleware, which compiled routes would pass by. With a FastAPI that isn't known
    nothing is compiled, and a warning says so.
    """
    try:
        from flatroute.layer import CompiledRoutes
    except ImportError as error:
        log.warning("No route is compiled: %s", error)
        return
    if app.router.middleware_stack != app.router.app:
        raise ValueError("The router has middleware, which compiled routes would pass by.")
    app.router.middleware_stack = CompiledRoutes(app)


def survey(app: FastAPI) -> list[SurveyedRoute]:
    """Every HTTP route in the order of declaration: compiled, or why not."""
    try:
        from flatroute.table import Table
    except ImportError as error:
        routes = iter_route_contexts(app.routes)
        return [SurveyedRoute(tuple(route.methods or ()), route.path or "", str(error)) for route in routes]
    return Table(app).survey
