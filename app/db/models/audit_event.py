"""Who changed what, and when. Rows are only ever added: the database refuses everything else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DDL, Index, String, TextClause, event, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


def handed_over(name: str, cast: str = "") -> TextClause:
    """What app/db/audit.py said in this transaction. Worded as PostgreSQL words it: Alembic compares the text."""
    setting = f"NULLIF(current_setting('audit.{name}'::text, true), ''::text)"
    return text(f"({setting})::{cast}" if cast else setting)


class AuditEvent(Base):
    """No foreign keys: a record outlives the rows that it names.

    The triggers of audited tables write it (app/db/audit_triggers.py). Who acts is a default of every record, so that
    no writer has to say it.
    """

    __tablename__ = "audit_events"
    __audited__ = False

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("audit_event_id()"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_kind: Mapped[str] = mapped_column(
        String(20), server_default=text(f"COALESCE({handed_over('actor_kind')}, 'database_role'::text)")
    )
    actor_id: Mapped[UUID | None] = mapped_column(server_default=handed_over("actor_id", "uuid"))
    actor_key_id: Mapped[UUID | None] = mapped_column(server_default=handed_over("actor_key_id", "uuid"))
    actor_role: Mapped[str | None] = mapped_column(String(63))
    action: Mapped[str] = mapped_column(String(50))
    entity: Mapped[str] = mapped_column(String(50))
    entity_id: Mapped[UUID | None]
    request_id: Mapped[str | None] = mapped_column(String(128), server_default=handed_over("request_id"))
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))

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
