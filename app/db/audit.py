"""The audit log writes itself: every flush of a write transaction adds a row for each audited object it changes.

The rows ride in the same transaction, so a change and its record stand or fall together, and no service can
forget one.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, UOWTransaction
from sqlalchemy.orm.attributes import History
from uuid_utils.compat import uuid7

from app.core.context import actor, request_id
from app.db.base import PRIVATE, IdMixin
from app.db.models import AuditEvent, Base

MASK = "***"
_LONGEST = 200
_UNTOLD = frozenset({"id", "created_at", "updated_at"})


class AuditedSession(Session):
    """The session behind every AsyncSession of the application."""


@event.listens_for(AuditedSession, "before_flush")
def _record(session: Session, _context: UOWTransaction, _instances: object) -> None:
    told: list[tuple[str, Iterable[object]]] = [
        ("created", session.new),
        ("updated", [row for row in session.dirty if session.is_modified(row, include_collections=False)]),
        ("deleted", session.deleted),
    ]
    events = [
        audit_event(f"{_entity(row)}.{verb}", _entity(row), _id(row), _changes(row, verb))
        for verb, rows in told
        for row in rows
        if isinstance(row, Base) and row.__audited__
    ]
    session.add_all(events)


def audit_event(action: str, entity: str, entity_id: UUID | None, changes: dict[str, Any]) -> AuditEvent:
    """A row for what happened, by whoever acts at the moment."""
    who = actor()
    return AuditEvent(
        actor_kind=who.kind,
        actor_id=who.id,
        action=action,
        entity=entity,
        entity_id=entity_id,
        request_id=request_id() or None,
        changes=changes,
    )


def _entity(row: Base) -> str:
    return str(row.__tablename__).removesuffix("s")


def _id(row: Base) -> UUID | None:
    if not isinstance(row, IdMixin):
        return None
    if "id" not in inspect(row).dict:
        row.id = uuid7()  # the default would come with the INSERT, after this
    return row.id


def _changes(row: Base, verb: str) -> dict[str, Any]:
    """Field -> [old, new] of what changes; [null, new] of a new row, nothing of a deleted one."""
    if verb == "deleted":
        return {}
    state = inspect(row)
    changes = {}
    for column in state.mapper.column_attrs:
        history: History = state.attrs[column.key].history
        if column.key not in _UNTOLD and history.has_changes():
            private = PRIVATE.items() <= column.columns[0].info.items()
            changes[column.key] = [_told(values, private=private) for values in (history.deleted, history.added)]
    return changes


def _told(values: Any, *, private: bool) -> Any:
    value = values[0] if values else None
    if value is None or isinstance(value, bool | int):
        return value
    if private:
        return MASK
    if isinstance(value, list):
        return [str(item) for item in value]
    text = str(value)
    return text if len(text) <= _LONGEST else f"({len(text)} characters)"
