"""HTML pages of the service, each under a policy that allows nothing but what the page is made of."""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.core.product import NAME

_NOTHING_ELSE = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}


class Page:
    """A file beside this module. Its own script and style are allowed by their hash, other sources by `allowed`."""

    def __init__(self, file: str, **allowed: str) -> None:
        """`allowed` has sources by directive, written with underscores: `img_src="'self'"`."""
        text = Path(__file__).with_name(file).read_text(encoding="utf-8")
        self._html = text.replace("{{ name }}", escape(NAME))
        self._headers = {"Content-Security-Policy": _policy(self._html, allowed)}

    def response(self, request: Request) -> HTMLResponse:
        """The page, whose links begin with the prefix under which a proxy serves this application."""
        root = escape(request.scope.get("root_path", "").rstrip("/"))
        return HTMLResponse(self._html.replace("{{ root }}", root), headers=self._headers)


def _policy(html: str, allowed: dict[str, str]) -> str:
    directives = _NOTHING_ELSE | {"connect-src": "'self'"}
    for element in ("script", "style"):
        if hashes := " ".join(map(_hash, re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL))):
            directives[f"{element}-src"] = hashes
    for name, sources in allowed.items():
        directive = name.replace("_", "-")
        directives[directive] = f"{directives.get(directive, '')} {sources}".strip()
    return "; ".join(f"{directive} {sources}" for directive, sources in directives.items())


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
