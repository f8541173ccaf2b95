"""Every route: the API under its version, and the pages that mails link to."""

from fastapi import APIRouter

from app.api.routes import api_keys, audit_events, auth, pages, posts, users

api = APIRouter(prefix="/api/v1")
for module in (users, posts, auth, api_keys, audit_events):
    api.include_router(module.router)

router = APIRouter()
router.include_router(api)
router.include_router(pages.router)
