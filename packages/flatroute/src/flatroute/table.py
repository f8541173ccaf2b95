"""Which route answers a GET request: the first that matches, as in Starlette, or nothing where that isn't certain."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.convertors import StringConvertor
from starlette.routing import Mount, Route, WebSocketRoute

from flatroute import framework
from flatroute.handler import CompiledRoute, obstacles
from flatroute.paths import PathTree, is_plain
from flatroute.survey import SurveyedRoute


class Table:
    """An application's routes as they are now."""

    def __init__(self, app: FastAPI) -> None:
        self.survey: list[SurveyedRoute] = []
        self._paths = PathTree[CompiledRoute | None]()
        self._opaque: list[str] = []
        self._routers = tuple(framework.routers(app.router))
        self._sizes = self._current_sizes()
        for route in iter_route_contexts(app.routes):
            if not isinstance(route.original_route, WebSocketRoute):
                self._add(route, app)

    def find(self, path: str) -> tuple[CompiledRoute | None, dict[str, str]]:
        """The compiled route that answers, with its path's parameters; without one, FastAPI has to look."""
        return self._paths.find(path) or (None, {})

    def is_stale(self) -> bool:
        """Whether routes were added or removed since."""
        return self._sizes != self._current_sizes()

    def _current_sizes(self) -> list[int]:
        return [len(router.routes) for router in self._routers]

    def _add(self, route: RouteContext, app: FastAPI) -> None:
        methods = tuple(sorted(route.methods or ()))
        obstacle = next(self._obstacles(route, app), None)
        self.survey.append(SurveyedRoute(methods, route.path or "", obstacle))
        if not _is_comparable(route):
            self._opaque.append(_literal_start(route))
        elif not route.methods or "GET" in route.methods:  # without methods, it answers all
            self._paths.add(str(route.path_format), None if obstacle else CompiledRoute(route))

    def _obstacles(self, route: RouteContext, app: FastAPI) -> Iterator[str]:
        if route.methods and "GET" not in route.methods:
            yield "it doesn't answer GET"
        yield from obstacles(route, app)
        if not _is_comparable(route):
            yield "its path isn't made of literals and whole segments alone"
        start = _literal_start(route)
        if any(start.startswith(other) or other.startswith(start) for other in self._opaque):
            yield "a route before it may match the same paths"


def _is_comparable(route: RouteContext) -> bool:
    """Whether its path alone says what it matches, segment by segment."""
    return (
        type(route.original_route).matches in (Route.matches, APIRoute.matches)
        and all(type(each) is StringConvertor for each in route.param_convertors.values())
        and is_plain(str(route.path_format))
    )


def _literal_start(route: RouteContext) -> str:
    """What every path that it matches begins with; empty where that isn't known, as of a Host."""
    is_known = type(route.original_route).matches in (Route.matches, APIRoute.matches, Mount.matches)
    return str(route.path).partition("{")[0] if is_known else ""
