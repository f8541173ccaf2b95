"""The ASGI layer around a FastAPI application's router."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from flatroute.framework import get_route_path
from flatroute.table import Table

_BODY_HEADERS = frozenset((b"content-length", b"transfer-encoding"))


class CompiledRoutes:
    """Stands inside every middleware and the handlers of errors, so that they see a compiled answer like any other."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._router = app.router.app
        self._table: Table | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._table is None or self._table.is_stale():
            self._table = Table(self._app)  # with the message of the start; without one, at the first request
        app = (self._may_answer(scope) and self._compiled(scope, self._table)) or self._router
        await app(scope, receive, send)

    def _may_answer(self, scope: Scope) -> bool:
        """False for whatever only FastAPI's own way knows to treat, such as a body that no route asked for."""
        return (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not self._app.dependency_overrides
            and scope.get("fastapi.telemetry") is None
            and scope.get("http_version") in ("1.0", "1.1")  # in which headers announce a body
            and _BODY_HEADERS.isdisjoint([name for name, _ in scope["headers"]])
        )

    def _compiled(self, scope: Scope, table: Table) -> ASGIApp | None:
        """Who answers the request; None leaves it to FastAPI, and nothing has been called for it yet."""
        route, path_params = table.find(get_route_path(scope))
        if route is None:
            return None
        scope.setdefault("router", self._app.router)
        return route.app if route.prepare(scope, path_params) else None
