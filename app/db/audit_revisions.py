"""Lets Alembic compare the audit log's triggers with the models, and write what differs into a new revision."""

from collections.abc import Sequence
from typing import Any, Self

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrateOperation, UpgradeOps
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Connection, text

from app.db.audit_triggers import TRIGGERS, Arguments, audited, creation
from app.db.base import Base

# The arguments stand in the catalog as text behind one another, each ended by a zero byte.
_FOUND = text("""
    SELECT relname, array_agg(tgname::text ORDER BY tgname) AS names, array_agg(DISTINCT tgargs) AS arguments,
           array_agg(pg_get_triggerdef(pg_trigger.oid) ORDER BY tgname) AS statements
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE proname = 'record_change' AND relnamespace = current_schema()::regnamespace GROUP BY relname
""")


class ReplaceTriggers(MigrateOperation):
    """Drops the audit triggers that a table has, and creates others."""

    def __init__(self, table: str, old: Sequence[str], new: Sequence[str]) -> None:
        self.table, self.old, self.new = table, old, new

    def reverse(self) -> Self:
        return type(self)(self.table, self.new, self.old)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("audit_triggers", self.table, *self.new)


@renderers.dispatch_for(ReplaceTriggers)
def _render(_context: AutogenContext, operation: ReplaceTriggers) -> list[str]:
    drops = [f"DROP TRIGGER {name} ON {operation.table}" for name in TRIGGERS] if operation.old else []
    return [f'op.execute("""{statement}""")' for statement in (*drops, *operation.new)]


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)
def _compare(context: AutogenContext, upgrade: UpgradeOps, _schemas: set[str | None]) -> PriorityDispatchResult:
    if context.connection is not None:
        for operation in differences(context.connection):
            if operation.table in Base.metadata.tables:
                upgrade.ops.append(operation)  # behind the creation of its table
            else:
                upgrade.ops.insert(0, operation)  # in front of the end of its table
    return PriorityDispatchResult.CONTINUE


def differences(connection: Connection) -> list[ReplaceTriggers]:
    """What is to be done so that every audited table, and no other, has the triggers that its model describes."""
    found = {row.relname: row for row in connection.execute(_FOUND)}
    wanted = audited()
    return [
        ReplaceTriggers(table, found[table].statements if table in found else (), _creation(table, wanted))
        for table in sorted(found.keys() | wanted.keys())
        if not (table in found and table in wanted and _agree(found[table], wanted[table]))
    ]


def _creation(table: str, wanted: dict[str, Arguments]) -> Sequence[str]:
    return creation(table, wanted[table]) if table in wanted else ()


def _agree(found: Any, wanted: Arguments) -> bool:
    arguments = "".join(f"{argument}\0" for argument in wanted).encode()
    return found.names == sorted(TRIGGERS) and [bytes(each) for each in found.arguments] == [arguments]
