"""The interactive documentation: Swagger UI, from files that a package brings, so that no other host is asked."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from app.api.errors import problems
from app.api.html import Page

PAGE = Page(
    "docs_page.html",
    script_src="'self'",
    style_src="'self' 'unsafe-inline'",  # Swagger UI sets styles of elements
    img_src="'self' data:",
)
FILES = StaticFiles(packages=[("fastapi_swagger", "resources")])

router = APIRouter(include_in_schema=False)


@router.get(
    "/",
    status_code=307,
    summary="The way to the documentation",
    response_class=RedirectResponse,
    responses=problems(),
)
async def home(request: Request) -> str:
    return f"{request.scope.get('root_path', '').rstrip('/')}/docs"


@router.get("/docs", status_code=200, summary="The documentation", response_class=HTMLResponse, responses=problems())
async def read_docs(request: Request) -> HTMLResponse:
    return PAGE.response(request)
