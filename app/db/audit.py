"""Every flush of a write transaction adds an audit row for each audited object that it changes.

The rows are in the same transaction, so a change and its record are committed together or not at all, and no
service can forget one.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction
from sqlalchemy.orm.attributes import History

from app.core.context import actor, request_id
from app.core.logs import MASK
from app.db.base import PRIVATE, Base, IdMixin
from app.db.models.audit_event import AuditEvent

UNAUDITED = "unaudited"
"""The execution option of a bulk statement that needs no audit row."""
_NOT_RECORDED = frozenset({"id", "created_at", "updated_at"})


class AuditedSession(Session):
    """The session behind every AsyncSession of the application."""


@event.listens_for(AuditedSession, "do_orm_execute")
def _refuse_unseen_changes(execution: ORMExecuteState) -> None:
    """Bulk statements bypass the flush, so those on audited tables need the UNAUDITED option."""
    mapper = execution.bind_mapper
    changes = execution.is_insert or execution.is_update or execution.is_delete
    if changes and mapper and mapper.class_.__audited__ and not execution.execution_options.get(UNAUDITED):
        raise TypeError(f"{mapper.class_.__name__}: a bulk change escapes the audit log; change objects instead")


@event.listens_for(AuditedSession, "after_flush")
def _record(session: Session, _context: UOWTransaction) -> None:
    """Runs after the flush, because foreign keys that come from relationships are known only then, and the session
    still has the changes. The rows are written by the next flush, at the latest by the commit's.
    """
    changed: list[tuple[str, Iterable[object]]] = [
        ("created", session.new),
        ("updated", session.dirty),
        ("deleted", session.deleted),
    ]
    for verb, rows in changed:
        for row in rows:
            if isinstance(row, Base) and row.__audited__:
                changes = _changes(row) if verb != "deleted" else {}
                if changes or verb != "updated":
                    entity = str(row.__tablename__).removesuffix("s")
                    session.add(audit_event(f"{entity}.{verb}", entity, _id(row), changes))


def audit_event(action: str, entity: str, entity_id: UUID | None, changes: dict[str, Any]) -> AuditEvent:
    """An audit row of the current actor."""
    who = actor()
    return AuditEvent(
        actor_kind=who.kind,
        actor_id=who.id,
        actor_key_id=who.key_id,
        action=action,
        entity=entity,
        entity_id=entity_id,
        request_id=request_id() or None,
        changes=changes,
    )


def _id(row: Base) -> UUID | None:
    return row.id if isinstance(row, IdMixin) else None


def _changes(row: Base) -> dict[str, Any]:
    """Field -> [old, new] of what changed; [null, new] of a new row."""
    state = inspect(row)
    changes = {}
    for column in state.mapper.column_attrs:
        history: History = state.attrs[column.key].history
        if column.key not in _NOT_RECORDED and history.has_changes():
            private = PRIVATE.items() <= column.columns[0].info.items()
            changes[column.key] = [_as_recorded(values, private=private) for values in (history.deleted, history.added)]
    for name, field in row.__audited_lists__.items():
        if name in state.committed_state:
            before, after = ([str(getattr(item, field)) for item in items or ()] for items in _lists(row, name))
            if before != after:
                changes[name] = [before, after]
    return changes


def _lists(row: Base, name: str) -> tuple[Any, Any]:
    """A list of related rows before and after the change, each in its order, which `history` doesn't keep."""
    return inspect(row).committed_state[name], getattr(row, name)


def _as_recorded(values: Any, *, private: bool) -> Any:
    value = values[0] if values else None
    if value is None or isinstance(value, bool | int):
        return value
    if private:
        return MASK
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)
