"""Every route of the API, under its version."""

from fastapi import APIRouter

from app.api.routes import api_keys, audit_events, auth, posts, users

router = APIRouter(prefix="/api/v1")
for module in (users, posts, auth, api_keys, audit_events):
    router.include_router(module.router)
