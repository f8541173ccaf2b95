"""Every route of the API, under its version. A file in this folder is a resource: its `router` is included."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1")
for _module in iter_modules(__path__):
    router.include_router(import_module(f"{__name__}.{_module.name}").router)
