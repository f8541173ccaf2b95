"""HTML pages of the service, each under a policy that lets nothing in but the page's own script."""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.core.product import NAME

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Page:
    """A file beside this module. Its inline script is allowed by its hash, everything else by `allowed`."""

    def __init__(self, file: str, **allowed: str) -> None:
        text = Path(__file__).with_name(file).read_text(encoding="utf-8")
        self._html = text.replace("{{ name }}", escape(NAME))
        self._headers = {"Content-Security-Policy": _policy(self._html, allowed)}

    def response(self, request: Request) -> HTMLResponse:
        """The page, whose links begin with the prefix under which a proxy serves this application."""
        root = escape(request.scope.get("root_path", "").rstrip("/"))
        return HTMLResponse(self._html.replace("{{ root }}", root), headers=self._headers)


def _policy(html: str, allowed: dict[str, str]) -> str:
    """Content-Security-Policy. `allowed` has sources by directive, written with underscores: `style_src="'self'"`."""
    (script,) = _INLINE_SCRIPT.findall(html)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    directives = {
        "default-src": "'none'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        **{name.replace("_", "-"): sources for name, sources in allowed.items()},
    }
    directives["script-src"] = f"'sha256-{digest}' {directives.get('script-src', '')}".rstrip()
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())
