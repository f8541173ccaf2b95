"""Indexes on tables in use."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from alembic.util import CommandError
from sqlalchemy import ColumnElement, Row, TextClause, text

from app.db.safe_ops.steps import own_transactions, verbatim

type Column = str | TextClause | ColumnElement[Any]

INDEX = """
    SELECT indisvalid AND indisready AS works, indisunique AS is_unique, indpred IS NOT NULL AS is_partial,
           indrelid = to_regclass(:table) AS belongs, amname::text AS method,
           ARRAY(SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place)
                 LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place) AS columns
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE indexrelid = to_regclass(:index)
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
    with own_transactions() as steps:
        found = steps.ask(INDEX, index=steps.quote(name, schema), table=steps.quote(table, schema))
        if found and not (found.belongs and (not found.works or _is_asked_for(found, columns, options))):
            raise CommandError(f"there is another index called {name!r}: give the new one another name")
        if found and found.works:
            return
        if found:
            steps.run_patiently(lambda: _drop(name, table, schema))
        steps.run_patiently(lambda: op.create_index(name, table, columns, **options))


def drop_index_concurrently(name: str, table: str, *, schema: str | None = None) -> None:
    """DROP INDEX CONCURRENTLY IF EXISTS. Lock: SHARE UPDATE EXCLUSIVE on the table; waits for old transactions.

    Not for the index of a unique constraint or primary key. In a downgrade `add_index_concurrently` is its reverse.
    """
    with own_transactions() as steps:
        steps.run_patiently(lambda: _drop(name, table, schema))


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
