"""The application: `uvicorn app.main:app`."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app.api import compiled_routes, docs_pages, errors, health, link_pages, metrics, routes
from app.api.middleware import RequestLayer
from app.api.openapi import DocumentedAPI
from app.core.config import Settings, load_settings
from app.core.errors import InvalidSettings
from app.core.logs import configure_logging
from app.core.product import NAME, SUMMARY, VERSION
from app.core.tracing import Tracing
from app.db.provision import missing_database, provisioned_url
from app.db.session import Database
from app.wiring import make_process_context, make_readiness


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens the database (development's own server when no DATABASE_URL is set), and closes it at the end."""
    settings: Settings = app.state.settings
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(provisioned_url(settings))
        tracing: Tracing | None = app.state.tracing
        if tracing:
            stack.push_async_callback(to_thread.run_sync, tracing.close)
        database = Database(url, settings, tracing)
        stack.push_async_callback(database.close)
        app.state.database = database
        app.state.readiness = make_readiness(database)
        if settings.compiled_routes:
            compiled_routes.log_survey(app)
        yield


def create_app(settings: Settings | None = None) -> FastAPI:
    """A new application; without settings it reads them from the environment."""
    settings = settings or load_settings()
    if fault := missing_database(settings):
        raise InvalidSettings([fault])
    configure_logging(settings)
    app = DocumentedAPI(
        title=NAME,
        version=VERSION,
        summary=SUMMARY,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.tracing = Tracing(endpoint) if (endpoint := settings.otel_exporter_otlp_endpoint) else None
    app.state.process_context = make_process_context(settings)
    errors.install(app)
    app.include_router(routes.router, max_body_size=settings.max_body_bytes)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(link_pages.router)
    app.include_router(docs_pages.router)
    app.mount("/docs/files", docs_pages.FILES)
    if settings.compiled_routes:
        compiled_routes.install(app)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **_cors(settings))
    # Last added is outermost.
    app.add_middleware(RequestLayer, settings=settings, tracing=app.state.tracing)
    return app


def _cors(settings: Settings) -> dict[str, Any]:
    return {
        "allow_origins": settings.cors_origins,
        "allow_methods": ["GET", "HEAD", "POST", "PATCH", "DELETE"],
        "allow_headers": ["Authorization", "Content-Type", "X-Request-ID"],
        "expose_headers": ["X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy"],
    }


try:
    app = create_app()
except InvalidSettings as error:
    sys.exit(str(error))
