"""Every route of the API, under its version."""

from fastapi import APIRouter

from app.api.routes import posts, users

router = APIRouter(prefix="/api/v1")
router.include_router(users.router)
router.include_router(posts.router)
