"""Lets Alembic compare the audit log's triggers with the models, and write what differs into a new revision."""

from collections import defaultdict
from typing import Any, Self

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import CreateTableOp, DropTableOp, MigrateOperation, UpgradeOps
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Connection, text

from app.db.audit_triggers import Triggers, audited, creation
from app.db.base import Base

_FOUND = text("""
    SELECT relname, tgname, tgargs
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE proname = 'record_change' AND relnamespace = current_schema()::regnamespace ORDER BY relname, tgname
""")


class ReplaceTriggers(MigrateOperation):
    """Drops the audit triggers that a table has, and creates others.

    `with_table`: the same revision makes or drops the table, and dropping it drops its triggers.
    """

    def __init__(self, table: str, old: Triggers, new: Triggers, *, with_table: bool = False) -> None:
        self.table, self.old, self.new, self.with_table = table, old, new, with_table

    def reverse(self) -> Self:
        return type(self)(self.table, self.new, self.old, with_table=self.with_table)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("replace_triggers", self.table, self.old, self.new)


@renderers.dispatch_for(ReplaceTriggers)
def _render(_context: AutogenContext, operation: ReplaceTriggers) -> list[str]:
    old = () if operation.with_table else operation.old
    drops = [f"DROP TRIGGER {name} ON {operation.table}" for name in old]
    return [f'op.execute("""{statement}""")' for statement in (*drops, *creation(operation.table, operation.new))]


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)
def _compare(context: AutogenContext, upgrade: UpgradeOps, _schemas: set[str | None]) -> PriorityDispatchResult:
    # Alembic keeps comparators for the whole process, in which another project may be migrated as well.
    if context.metadata is Base.metadata and context.connection is not None:
        tables = {each.table_name for each in upgrade.ops if isinstance(each, CreateTableOp | DropTableOp)}
        for operation in differences(context.connection):
            operation.with_table = operation.table in tables
            if operation.table in Base.metadata.tables:
                upgrade.ops.append(operation)  # behind the creation of its table
            else:
                upgrade.ops.insert(0, operation)  # in front of the end of its table
    return PriorityDispatchResult.CONTINUE


def differences(connection: Connection) -> list[ReplaceTriggers]:
    """What is to be done so that every audited table, and no other, has the triggers that its model describes."""
    found, wanted = _triggers_of(connection), audited()
    return [
        ReplaceTriggers(table, found.get(table, {}), wanted.get(table, {}))
        for table in sorted(found.keys() | wanted.keys())
        if found.get(table) != wanted.get(table)
    ]


def _triggers_of(connection: Connection) -> dict[str, Triggers]:
    found: dict[str, Triggers] = defaultdict(dict)
    for table, name, arguments in connection.execute(_FOUND):
        # In the catalog each argument ends with a zero byte.
        found[table][name] = tuple(bytes(arguments).decode().split("\0")[:-1])
    return found
