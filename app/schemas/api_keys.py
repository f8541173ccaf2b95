"""API keys on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from app.core.identity import Scope
from app.schemas.base import Entity, Input, Line


class ApiKeyCreate(Input):
    name: Annotated[Line, Field(max_length=100, examples=["deploy script"])]
    scopes: set[Scope] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class ApiKeyRead(Entity):
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class ApiKeyCreated(ApiKeyRead):
    key: str = Field(description="Shown this once.")
