"""The audit log on the wire."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from app.schemas.base import Entity, Text
from app.schemas.pages import PageQuery


class AuditEventQuery(PageQuery):
    actor_id: UUID | None = None
    action: Text | None = Field(default=None, max_length=50, examples=["post.updated"])
    entity: Text | None = Field(default=None, max_length=50, examples=["post"])
    entity_id: UUID | None = None
    request_id: Text | None = Field(default=None, max_length=128)


class AuditEventRead(Entity):
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_key_id: UUID | None = Field(description="The API key that was used, if one was.")
    actor_role: str | None = Field(
        description="The database role of a change that didn't come through the service, such as by psql."
    )
    action: str
    entity: str
    entity_id: UUID | None
    request_id: str | None
    changes: dict[str, Any] = Field(description="Field -> [before, after]; personal values are masked.")
