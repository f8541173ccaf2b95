"""Who changed what, and when. Rows are only ever added: the database refuses everything else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DDL, Index, String, event, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, IdMixin


class AuditEvent(IdMixin, Base):
    """No foreign keys: a record outlives the rows that it names."""

    __tablename__ = "audit_events"
    __audited__ = False

    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_kind: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[UUID | None]
    actor_key_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(50))
    entity: Mapped[str] = mapped_column(String(50))
    entity_id: Mapped[UUID | None]
    request_id: Mapped[str | None] = mapped_column(String(128))
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_audit_events_at_id", "at", "id"),
        Index("ix_audit_events_actor_id", "actor_id", "at", "id"),
        Index("ix_audit_events_entity_id", "entity_id", "at", "id"),
    )


# The trigger stops the table's owner too, who could disable it. The service's role can't (app/db/roles.py).
APPEND_ONLY = (
    """CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END $$""",
    """CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only()""",
)

for statement in APPEND_ONLY:
    event.listen(AuditEvent.__table__, "after_create", DDL(statement))  # type: ignore[no-untyped-call]  # SQLAlchemy hasn't typed it
