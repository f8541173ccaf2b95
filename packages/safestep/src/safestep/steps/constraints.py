"""Constraints on tables in use: added without reading the rows, which are read later under a weak lock."""

from typing import Any

from alembic import op
from alembic.util import CommandError
from sqlalchemy import text

from safestep.steps.execution import SafeStep, own_transactions, verbatim

CONSTRAINT = """
    SELECT convalidated, contype::text AS kind, confrelid = to_regclass(:referred) AS refers,
           ARRAY[confdeltype, confupdtype]::text[] AS actions,
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS part (number, place)
                 JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS columns,
           ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY AS part (number, place)
                 JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY place) AS referred_columns
    FROM pg_constraint WHERE conname = :name AND conrelid = to_regclass(:table)
"""
# From PostgreSQL 18 on a column may be marked while rows still break it; the constraint then isn't validated.
NOT_NULL = """
    SELECT attnum FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = :column AND attnotnull AND NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = attrelid AND contype = 'n' AND attnum = ANY (conkey) AND NOT convalidated
    )
"""
ACTIONS = {"NO ACTION": "a", "RESTRICT": "r", "CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d"}
LONGEST_NAME = 63


def add_foreign_key_not_valid(
    name: str,
    table: str,
    referred_table: str,
    columns: list[str],
    referred_columns: list[str],
    *,
    schema: str | None = None,
    referred_schema: str | None = None,
    **options: Any,
) -> None:
    """ADD FOREIGN KEY … NOT VALID: counts for new and changed rows; `validate_constraint` reads the others.

    Lock: SHARE ROW EXCLUSIVE on both tables for a moment; writes wait for it. `options` are those of
    `op.create_foreign_key`, such as `ondelete`. Index the columns first, or every delete of a referred row
    reads the whole table. Raises CommandError when the table has another constraint of this name.
    """
    options |= {"source_schema": schema, "referent_schema": referred_schema, "postgresql_not_valid": True}
    with own_transactions() as step:
        found = _found(step, name, table, schema, step.quote(referred_table, referred_schema))
        if not found:
            step.run(
                lambda: op.create_foreign_key(op.f(name), table, referred_table, columns, referred_columns, **options)
            )
        elif not (
            found.refers
            and (found.columns, found.referred_columns) == (list(columns), list(referred_columns))
            and found.actions == [_action(options.get("ondelete")), _action(options.get("onupdate"))]
        ):
            raise _taken(name, table)


def add_check_not_valid(name: str, table: str, condition: str, *, schema: str | None = None) -> None:
    """ADD CHECK … NOT VALID: counts for new and changed rows; `validate_constraint` reads the others.

    Lock: ACCESS EXCLUSIVE for a moment. `name` is the whole name: no convention adds to it. A check that has it
    already is taken for done; PostgreSQL words conditions anew, so they aren't compared.
    Raises CommandError when the table has another kind of constraint of this name.
    """
    with own_transactions() as step:
        found = _found(step, name, table, schema)
        if found and found.kind != "c":
            raise _taken(name, table)
        if not found:
            step.run(lambda: _add_check(name, table, condition, schema))


def validate_constraint(name: str, table: str, *, schema: str | None = None) -> None:
    """VALIDATE CONSTRAINT: reads the whole table, and fails when a row breaks the constraint.

    Lock: SHARE UPDATE EXCLUSIVE, for a foreign key also ROW SHARE on the other table; reads and writes go on.
    Raises CommandError when there is no such constraint.
    """
    with own_transactions() as step:
        found = _found(step, name, table, schema)
        if not (found or step.is_offline):
            raise CommandError(f"{table} has no constraint {name!r} to validate")
        if not (found and found.convalidated):
            _validate(step, name, table, schema)


def set_not_null_safely(table: str, column: str, *, schema: str | None = None) -> None:
    """SET NOT NULL without reading the table under its ACCESS EXCLUSIVE lock: a validated CHECK proves it already.

    Locks: ACCESS EXCLUSIVE three times for a moment, SHARE UPDATE EXCLUSIVE while the rows are read.
    From the first statement on a new NULL is refused, so the running code must write the column.
    """
    # PostgreSQL cuts longer names itself, by bytes, and wouldn't be found to have this one.
    check = f"ck_{table}_{column}_set_not_null".encode()[:LONGEST_NAME].decode(errors="ignore")
    with own_transactions() as step:
        name = step.quote(table, schema)
        found = _found(step, check, table, schema)
        if not step.first_row(NOT_NULL, table=name, column=column):
            if not found:
                step.run(lambda: _add_check(check, table, f"{step.quote(column)} IS NOT NULL", schema))
            if not (found and found.convalidated):
                _validate(step, check, table, schema)
            # Not together with dropping the check: PostgreSQL would drop it first, and read every row.
            step.run(lambda: op.alter_column(table, column, nullable=False, schema=schema))
        if step.is_offline or _found(step, check, table, schema):
            step.run(f"ALTER TABLE {name} DROP CONSTRAINT {step.quote(check)}")


def _found(step: SafeStep, name: str, table: str, schema: str | None, referred: str | None = None) -> Any:
    return step.first_row(CONSTRAINT, name=name, table=step.quote(table, schema), referred=referred)


def _taken(name: str, table: str) -> CommandError:
    return CommandError(f"{table} has another constraint called {name!r}: give the new one another name")


def _action(asked: str | None) -> str:
    """As PostgreSQL's catalog has it; a list of columns behind it isn't looked at."""
    words = (asked or "NO ACTION").upper()
    return next(sign for action, sign in ACTIONS.items() if words.startswith(action))


def _add_check(name: str, table: str, condition: str, schema: str | None) -> None:
    sql = text(verbatim(condition))
    op.create_check_constraint(op.f(name), table, sql, schema=schema, postgresql_not_valid=True)


def _validate(step: SafeStep, name: str, table: str, schema: str | None) -> None:
    step.run_long(f"ALTER TABLE {step.quote(table, schema)} VALIDATE CONSTRAINT {step.quote(name)}")
