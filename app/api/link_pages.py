"""Where the links in mails lead: one small page that hands the link's token to the API.

A site with pages of its own serves these two paths itself; PUBLIC_URL says where.
"""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.api.errors import problems
from app.api.html import Page

PAGE = Page("link_page.html")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/verify-email", status_code=200, summary="The page that confirms an address", responses=problems())
async def verify_email(request: Request) -> HTMLResponse:
    return PAGE.response(request)


@router.get("/set-password", status_code=200, summary="The page that sets a password", responses=problems())
async def set_password(request: Request) -> HTMLResponse:
    return PAGE.response(request)
