"""GET routes answer through compiled handlers (packages/flatroute), with the same bytes as FastAPI's own way."""

import structlog
from fastapi import FastAPI

from app.core.config import Settings

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    try:
        import flatroute
    except ModuleNotFoundError:  # requirements.txt alone doesn't bring the package
        log.warning("routes_not_compiled", reason="packages/flatroute isn't installed")
    else:
        flatroute.install(app)


def log_survey(app: FastAPI, settings: Settings) -> None:
    """One line a route, with LOG_LEVEL=DEBUG: whether it is compiled, or why not."""
    if settings.log_level != "DEBUG":
        return
    import flatroute

    for route in flatroute.survey(app):
        log.debug("route", methods=route.methods, path=route.path, obstacle=route.obstacle)
