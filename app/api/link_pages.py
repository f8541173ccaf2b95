"""Where the links in mails lead: one small page that hands the link's token to the API.

A site with pages of its own serves these two paths itself; PUBLIC_URL says where.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.api.errors import problems
from app.core.product import NAME

PAGE = Path(__file__).with_name("link_page.html").read_text(encoding="utf-8").replace("{{ name }}", escape(NAME))


def _policy(page: str) -> str:
    """Only the page's own script and style may act, and it may connect to this service alone."""
    own = " ".join(f"{kind}-src '{_digest(page, kind)}';" for kind in ("script", "style"))
    return f"default-src 'none'; {own} connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _digest(page: str, element: str) -> str:
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"


HEADERS = {"Content-Security-Policy": _policy(PAGE)}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/verify-email", status_code=200, summary="The page that confirms an address", responses=problems())
async def verify_email() -> HTMLResponse:
    return HTMLResponse(PAGE, headers=HEADERS)


@router.get("/set-password", status_code=200, summary="The page that sets a password", responses=problems())
async def set_password() -> HTMLResponse:
    return HTMLResponse(PAGE, headers=HEADERS)
