"""What the database server lets us do, and at which revision the schema is."""

from typing import Protocol

from sqlalchemy import Boolean, Integer, Text, cast, column, func, or_, select, table

from app.db.models.audit_event import AuditEvent
from app.db.session import Reader

_REVISIONS = table("alembic_version", column("version_num", Text))

_STATE = select(
    or_(func.pg_is_in_recovery(), cast(func.current_setting("default_transaction_read_only"), Boolean)).label(
        "is_read_only"
    ),
    func.to_regclass(_REVISIONS.name).is_not(None).label("has_revisions"),
)
_REVISION = select(_REVISIONS.c.version_num).order_by(_REVISIONS.c.version_num)
_RESERVED = ("superuser_reserved_connections", "reserved_connections")  # the second one since PostgreSQL 16
_CONNECTIONS = select(
    (
        cast(func.current_setting("max_connections"), Integer)
        - sum(cast(func.coalesce(func.current_setting(name, True), "0"), Integer) for name in _RESERVED)
    ).label("connections")
)
_AUDIT_ROWS = select(func.pg_stat_get_tuples_inserted(func.to_regclass(AuditEvent.__tablename__)).label("rows"))


class ServerState(Protocol):
    is_read_only: bool
    """A standby, or set to take no writes."""
    has_revisions: bool


class ServerStateRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def state(self) -> ServerState:
        state: ServerState
        (state,) = await self._reader.all(_STATE)
        return state

    async def revision(self) -> str | None:
        """None for a database that was never migrated."""
        row = await self._reader.first(_REVISION)
        return row and row.version_num

    async def audit_rows(self) -> int | None:
        """How many were inserted, as far as the server's statistics go back; None without the table."""
        (row,) = await self._reader.all(_AUDIT_ROWS)
        rows: int | None = row.rows
        return rows

    async def connections(self) -> int:
        """How many connections the server takes from ordinary roles, all applications together."""
        (row,) = await self._reader.all(_CONNECTIONS)
        count: int = row.connections
        return count
