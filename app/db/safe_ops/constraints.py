"""Constraints on tables in use: added without a look at the rows, which are read later under a weak lock."""

from typing import Any

from alembic import op
from alembic.util import CommandError
from sqlalchemy import text

from app.db.safe_ops.steps import Steps, own_transactions, verbatim

CONSTRAINT = "SELECT convalidated FROM pg_constraint WHERE conname = :name AND conrelid = to_regclass(:table)"
# From PostgreSQL 18 on a column may be marked while rows still break it; the constraint then isn't validated.
NOT_NULL = """
    SELECT attnum FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = :column AND attnotnull AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = attrelid AND contype = 'n' AND attnum = ANY (conkey) AND NOT convalidated
    )
"""
LONGEST_NAME = 63


def add_foreign_key_not_valid(
    name: str,
    table: str,
    referred_table: str,
    columns: list[str],
    referred_columns: list[str],
    **options: Any,
) -> None:
    """ADD FOREIGN KEY … NOT VALID: counts for new and changed rows; `validate_constraint` reads the others.

    Lock: SHARE ROW EXCLUSIVE on both tables for a moment; writes wait for it. `options` are those of
    `op.create_foreign_key`, such as `ondelete`. Index the columns first, or every delete of a referred row
    reads the whole table.
    """
    with own_transactions() as steps:
        if not _found(steps, name, table):
            options |= {"postgresql_not_valid": True}
            steps.run(
                lambda: op.create_foreign_key(op.f(name), table, referred_table, columns, referred_columns, **options)
            )


def add_check_not_valid(name: str, table: str, condition: str) -> None:
    """ADD CHECK … NOT VALID: counts for new and changed rows; `validate_constraint` reads the others.

    Lock: ACCESS EXCLUSIVE for a moment. `name` is the whole name: no convention adds to it.
    """
    with own_transactions() as steps:
        if not _found(steps, name, table):
            steps.run(lambda: _add_check(name, table, condition))


def validate_constraint(name: str, table: str) -> None:
    """VALIDATE CONSTRAINT: reads the whole table, and fails when a row breaks the constraint.

    Lock: SHARE UPDATE EXCLUSIVE, for a foreign key also ROW SHARE on the other table; reads and writes go on.
    Raises CommandError when there is no such constraint.
    """
    with own_transactions() as steps:
        found = _found(steps, name, table)
        if not (found or steps.offline):
            raise CommandError(f"{table} has no constraint {name!r} to validate")
        if not (found and found.convalidated):
            _validate(steps, name, table)


def set_not_null_safely(table: str, column: str) -> None:
    """SET NOT NULL without reading the table under its ACCESS EXCLUSIVE lock: a validated CHECK proves it already.

    Locks: ACCESS EXCLUSIVE three times for a moment, SHARE UPDATE EXCLUSIVE while the rows are read.
    From the first statement on a new NULL is refused, so the running code must write the column.
    """
    check = f"ck_{table}_{column}_set_not_null"[:LONGEST_NAME]
    with own_transactions() as steps:
        name = steps.quote(table)
        found = _found(steps, check, table)
        if not steps.ask(NOT_NULL, table=name, column=column):
            if not found:
                steps.run(lambda: _add_check(check, table, f"{steps.quote(column)} IS NOT NULL"))
            if not (found and found.convalidated):
                _validate(steps, check, table)
            # Not together with dropping the check: PostgreSQL would drop it first, and read every row.
            steps.run(lambda: op.alter_column(table, column, nullable=False))
        if steps.offline or _found(steps, check, table):
            steps.run(f"ALTER TABLE {name} DROP CONSTRAINT {steps.quote(check)}")


def _found(steps: Steps, name: str, table: str) -> Any:
    return steps.ask(CONSTRAINT, name=name, table=steps.quote(table))


def _add_check(name: str, table: str, condition: str) -> None:
    op.create_check_constraint(op.f(name), table, text(verbatim(condition)), postgresql_not_valid=True)


def _validate(steps: Steps, name: str, table: str) -> None:
    steps.run_patiently(f"ALTER TABLE {steps.quote(table)} VALIDATE CONSTRAINT {steps.quote(name)}")
