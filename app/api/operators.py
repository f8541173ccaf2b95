"""Who operates the service: whoever has OPERATOR_TOKEN.

Without one, everybody does in development, and nobody in production.
"""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request

from app.api.deps import AppSettings


async def is_operator(request: Request, settings: AppSettings) -> bool:
    if settings.operator_token is None:
        return not settings.is_production
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = settings.operator_token.get_secret_value()
    return scheme.lower() == "bearer" and compare_digest(token.encode(), expected.encode())


Operator = Annotated[bool, Depends(is_operator)]
