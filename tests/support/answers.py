"""What answers have in common."""

from typing import Any

import httpx2

SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""The headers of every answer."""


def assert_problem(response: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Asserts that it is one, as RFC 9457, section 3 wants it, with our members; returns the body."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() <= {"type", "title", "status", "code", "detail", "request_id", "errors"}
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert code in (None, body["code"])
    assert body["title"]
    assert body["detail"].endswith(".")
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body
