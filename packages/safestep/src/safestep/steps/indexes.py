"""Indexes on tables in use."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from alembic.util import CommandError
from sqlalchemy import ColumnElement, Row, TextClause, text

from safestep.steps.execution import own_transactions, verbatim

type Column = str | TextClause | ColumnElement[Any]

INDEX = """
    SELECT indisvalid AND indisready AS works, indisunique AS is_unique, indpred IS NOT NULL AS is_partial,
           indrelid = to_regclass(:table) AS belongs, amname::text AS method,
           ARRAY(SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place)
                 LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place) AS columns
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE indexrelid = to_regclass(:index)
"""
IS_THERE = "SELECT 1 FROM pg_class WHERE oid = to_regclass(:index) AND relkind IN ('i', 'I')"
# What REINDEX CONCURRENTLY leaves when it fails: a new index that isn't ready, or the old one when that isn't gone.
# It cuts a name that would get too long.
LEFTOVERS = r"""
    SELECT coalesce(array_agg(format('%I.%I', nspname, other.relname)), '{}') AS names
    FROM pg_class AS this JOIN pg_index AS its ON its.indexrelid = this.oid
    JOIN pg_index AS invalid ON invalid.indrelid = its.indrelid AND NOT invalid.indisvalid
    JOIN pg_class AS other ON other.oid = invalid.indexrelid
    JOIN pg_namespace ON pg_namespace.oid = other.relnamespace,
    regexp_replace(other.relname, '_cc(new|old)\d*$', '') AS base
    WHERE this.oid = to_regclass(:index) AND base <> other.relname
      AND (base = this.relname OR (octet_length(other.relname) >= 60 AND starts_with(this.relname, base)))
"""


def add_index_concurrently(
    name: str,
    table: str,
    columns: Sequence[Column],
    *,
    unique: bool = False,
    schema: str | None = None,
    **options: Any,
) -> None:
    """CREATE INDEX CONCURRENTLY; `options` are those of `op.create_index`, such as `postgresql_where`: SQL as it
    stands, or an `sa.text`, which takes `:word` for a parameter.

    Lock: SHARE UPDATE EXCLUSIVE on the table; reads and writes go on. It waits for transactions older than itself.
    An invalid index of this name, left by a build that failed, is dropped first. A valid one is taken for done.
    Raises CommandError when that one is another index: of another table, of other columns, unique where this one
    isn't. Expressions aren't compared: PostgreSQL words them anew.
    """
    if isinstance(where := options.get("postgresql_where"), str):
        options["postgresql_where"] = text(verbatim(where))
    options |= {"unique": unique, "schema": schema, "postgresql_concurrently": True}
    with own_transactions() as step:
        found = step.first_row(INDEX, index=step.quote(name, schema), table=step.quote(table, schema))
        if found and not (found.belongs and (not found.works or _is_asked_for(found, columns, options))):
            raise CommandError(f"there is another index called {name!r}: give the new one another name")
        if found and found.works:
            return
        if found:
            step.run_long(lambda: _drop(name, table, schema))
        step.run_long(lambda: op.create_index(name, table, columns, **options))


def drop_index_concurrently(name: str, table: str, *, schema: str | None = None) -> None:
    """DROP INDEX CONCURRENTLY IF EXISTS. Lock: SHARE UPDATE EXCLUSIVE on the table; waits for old transactions.

    Not for the index of a unique constraint or primary key. In a downgrade `add_index_concurrently` is its reverse.
    """
    with own_transactions() as step:
        step.run_long(lambda: _drop(name, table, schema))


def reindex_concurrently(index: str, *, schema: str | None = None) -> None:
    """REINDEX INDEX CONCURRENTLY. Lock: SHARE UPDATE EXCLUSIVE on the table; reads and writes go on.

    It waits for transactions older than itself. What one that failed has left of this index is dropped first; run
    again after it was done, it builds the index once more. Raises CommandError when there is no such index.
    """
    with own_transactions() as step:
        name = step.quote(index, schema)
        if not (step.is_offline or step.first_row(IS_THERE, index=name)):
            raise CommandError(f"there is no index {index!r} to rebuild")
        left = step.first_row(LEFTOVERS, index=name)
        for other in left.names if left else ():
            step.run_long(f"DROP INDEX CONCURRENTLY IF EXISTS {other}")
        step.run_long(f"REINDEX INDEX CONCURRENTLY {name}")


def _is_asked_for(found: Row[Any], columns: Sequence[Column], options: dict[str, Any]) -> bool:
    asked = [*columns, *(options.get("postgresql_include") or ())]
    return (
        len(asked) == len(found.columns)
        and all(one == other for one, other in zip(asked, found.columns, strict=True) if isinstance(one, str))
        and found.is_unique == options["unique"]
        and found.is_partial == (options.get("postgresql_where") is not None)
        and found.method == (options.get("postgresql_using") or "btree").lower()
    )


def _drop(name: str, table: str, schema: str | None) -> None:
    op.drop_index(name, table_name=table, schema=schema, postgresql_concurrently=True, if_exists=True)
