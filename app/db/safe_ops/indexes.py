"""Indexes on tables in use."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from alembic.util import CommandError
from sqlalchemy import ColumnElement, TextClause, text

from app.db.safe_ops.steps import own_transactions, verbatim

INDEX = """
    SELECT indisvalid AND indisready AS works, indisunique AS is_unique,
           indrelid = to_regclass(:table) AS belongs
    FROM pg_index WHERE indexrelid = to_regclass(:index)
"""


def add_index_concurrently(
    name: str,
    table: str,
    columns: Sequence[str | TextClause | ColumnElement[Any]],
    *,
    unique: bool = False,
    **options: Any,
) -> None:
    """CREATE INDEX CONCURRENTLY; `options` are those of `op.create_index`, such as `postgresql_where`: SQL as it
    stands, or an `sa.text`, which takes `:word` for a parameter.

    Lock: SHARE UPDATE EXCLUSIVE on the table; reads and writes go on. It waits for transactions older than itself.
    An invalid index of this name, left by a build that failed, is dropped first. A valid one is taken for done.
    Raises CommandError when that one is another index: of another table, or unique where this one isn't.
    """
    if isinstance(where := options.get("postgresql_where"), str):
        options["postgresql_where"] = text(verbatim(where))
    with own_transactions() as steps:
        found = steps.ask(INDEX, index=steps.quote(name), table=steps.quote(table))
        if found and not (found.belongs and found.is_unique == unique):
            raise CommandError(f"there is another index called {name!r}: give the new one another name")
        if found and found.works:
            return
        if found:
            steps.run_patiently(lambda: _drop(name, table))
        steps.run_patiently(
            lambda: op.create_index(name, table, columns, unique=unique, postgresql_concurrently=True, **options)
        )


def drop_index_concurrently(name: str, table: str) -> None:
    """DROP INDEX CONCURRENTLY IF EXISTS. Lock: SHARE UPDATE EXCLUSIVE on the table; waits for old transactions.

    Not for the index of a unique constraint or primary key. In a downgrade `add_index_concurrently` is its reverse.
    """
    with own_transactions() as steps:
        steps.run_patiently(lambda: _drop(name, table))


def _drop(name: str, table: str) -> None:
    op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
