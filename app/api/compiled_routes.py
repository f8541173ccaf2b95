"""GET routes answer through compiled handlers (packages/flatroute), with the same bytes as FastAPI's own way."""

import logging

import structlog
from fastapi import FastAPI

try:
    import flatroute
except ModuleNotFoundError:  # requirements.txt alone doesn't bring the package
    IS_INSTALLED = False
else:
    IS_INSTALLED = True

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    if IS_INSTALLED:
        flatroute.install(app)
    else:
        log.warning("routes_not_compiled", reason="packages/flatroute isn't installed")


def log_survey(app: FastAPI) -> None:
    """One line a route, with LOG_LEVEL=DEBUG: whether it is compiled, or why not."""
    if IS_INSTALLED and log.isEnabledFor(logging.DEBUG):
        for route in flatroute.survey(app):
            log.debug("route", methods=route.methods, path=route.path, obstacle=route.obstacle)
