"""Queries of the audit log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import bindparam, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.audit_event import AuditEvent
from app.db.session import Reader
from app.schemas.pages import Position

_PAGE = (
    select(
        AuditEvent.id,
        AuditEvent.at,
        AuditEvent.actor_kind,
        AuditEvent.actor_id,
        AuditEvent.actor_key_id,
        AuditEvent.actor_role,
        AuditEvent.action,
        AuditEvent.entity,
        AuditEvent.entity_id,
        AuditEvent.request_id,
        AuditEvent.changes,
    )
    .where(
        tuple_(AuditEvent.at, AuditEvent.id)
        < tuple_(bindparam("after_at", type_=AuditEvent.at.type), bindparam("after_id", type_=AuditEvent.id.type))
    )
    .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
    .limit(bindparam("limit"))
)
FILTERS = ("actor_id", "action", "entity", "entity_id", "request_id")


class AuditEventRow(Protocol):
    """The columns that a page is ordered by; the others go to the response as they are."""

    id: UUID
    at: datetime


class AuditEventReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def page(self, *, after: Position, limit: int, filters: dict[str, Any]) -> Sequence[AuditEventRow]:
        """Events older than `after` that match every filter (FILTERS), newest first."""
        statement = _PAGE.where(*(getattr(AuditEvent, name) == bindparam(name) for name in filters))
        return await self._reader.all(
            statement, {"after_at": after.at, "after_id": after.id, "limit": limit, **filters}
        )


class AuditEventRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def record(self, action: str, *, entity: str, entity_id: UUID | None) -> None:
        """Records something that changed no row, such as a refused sign-in."""
        # These three columns are all that the service's role may write; the others have defaults.
        await self._session.execute(insert(AuditEvent).values(action=action, entity=entity, entity_id=entity_id))
