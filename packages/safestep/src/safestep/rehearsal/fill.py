"""Rows for every table of a database, in sets: `INSERT … SELECT` over a series of numbers.

What can be derived is derived: keys of other tables are taken from those tables, values of enums and simple checks
are chosen from what is allowed. What can't is left to the database: a row that would break a check is left out by
the check itself, one that would break a uniqueness by `ON CONFLICT DO NOTHING`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from warnings import catch_warnings, simplefilter

from sqlalchemy import Column, Connection, ForeignKeyConstraint, MetaData, Table, TextClause, UniqueConstraint, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SAWarning
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from safestep.rehearsal.configuration import TableProfile
from safestep.rehearsal.values import HASH, CheckConstraint, quoted, value

BATCH = 50_000
NULL_EVERY = 10  # where a column may be NULL, one row in so many
NOT_FILLED = frozenset({"alembic_version"})

CHECKS = text("""
    SELECT pg_get_expr(conbin, conrelid) AS sql,
           ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
    FROM pg_constraint WHERE contype = 'c' AND conrelid = to_regclass(:table)
""")
TYPES = text("""
    SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
""")
PARTITIONS = text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")

type Progress = Callable[[str, int, int], None]
"""Called with a table, the rows done, and the rows to do."""


@dataclass
class FilledTables:
    """Rows that stand in each table now, and what couldn't be made."""

    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def fill(url: URL, rows: int, tables: Mapping[str, TableProfile], progress: Progress) -> FilledTables:
    """Fills the tables that are empty. `rows` is the number for a table of which `tables` says nothing."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    filled = FilledTables()
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET synchronous_commit = off"))
            await connection.execute(text("SET statement_timeout = 0"))
            for table in await connection.run_sync(_tables):
                profile = tables.get(table.name, TableProfile())
                await _TableFill(connection, table, profile, rows, filled, progress).run()
            # Otherwise autovacuum would find all these rows in the middle of the rehearsal.
            await connection.execute(text("VACUUM (ANALYZE)"))
    finally:
        await engine.dispose()
    return filled


def _tables(connection: Connection) -> list[Table]:
    """Parents first."""
    metadata = MetaData()
    partitions = set(connection.scalars(PARTITIONS))
    with catch_warnings():
        # Of types that SQLAlchemy doesn't know, and of tables that refer to each other: both can be NULL, or are noted.
        simplefilter("ignore", SAWarning)
        metadata.reflect(connection)
        return [table for table in metadata.sorted_tables if table.name not in NOT_FILLED | partitions]


class _TableFill:
    """One table's rows."""

    def __init__(
        self,
        connection: AsyncConnection,
        table: Table,
        profile: TableProfile,
        rows: int,
        filled: FilledTables,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._table = table
        self._profile = profile
        self._total = max(1, round(rows * self._profile.share))
        self._filled = filled
        self._progress = progress
        self._checks: list[CheckConstraint] = []
        self._joins: list[str] = []

    async def run(self) -> None:
        present = await self._count()
        if not present:
            types = await self._connection.execute(TYPES, {"table": self._name})
            self._types = {row.name: row.type for row in types}
            rows = await self._connection.execute(CHECKS, {"table": self._name})
            self._checks = [CheckConstraint(row.sql, tuple(row.columns)) for row in rows]
            values = await self._values()
            if values is not None:
                present = await self._insert(values)
        self._filled.rows[self._table.name] = present

    @property
    def _name(self) -> str:
        return _quote(self._table.name)

    async def _count(self) -> int:
        return int(await self._connection.scalar(text(f"SELECT count(*) FROM {self._name}")))  # noqa: S608 - a table's name

    async def _values(self) -> dict[str, str] | None:
        """SQL by column, with what has to be joined for it; None when a column can't be given a value."""
        values: dict[str, str] = {}
        for number, key in enumerate(sorted(self._table.foreign_key_constraints, key=lambda key: str(key.name))):
            values |= await self._references(key, f"p{number}")
        for position, column in enumerate(self._table.columns):
            if column.name in values or not self._is_given(column):
                continue
            made = self._value(column, position)
            if made is None and not column.nullable:
                self._filled.notes.append(
                    f"{self._table.name} stays empty: no value for {column.name} {self._types[column.name]}"
                )
                return None
            if made is not None:
                values[column.name] = made
        return values

    def _is_given(self, column: Column[object]) -> bool:
        """A default applies, except to a time of creation: rows of a real table weren't made all at once."""
        if column.computed is not None or column.identity is not None:
            return False
        if column.name in self._profile.columns:
            return True
        default = str(getattr(column.server_default, "arg", "")).lower()
        return column.server_default is None or default.startswith(("now()", "current_timestamp"))

    def _value(self, column: Column[object], position: int) -> str | None:
        if column.name in self._profile.columns:
            return self._profile.columns[column.name]
        made = value(column, self._checks, position)
        if made and column.nullable and not column.primary_key:
            return f"CASE WHEN n % {NULL_EVERY} > 0 THEN {made} END"
        return made

    async def _references(self, key: ForeignKeyConstraint, alias: str) -> dict[str, str]:
        """A foreign key's columns, from rows of the other table: some of those have many, most have few."""
        theirs, ours = key.elements[0].column.table, key.column_keys
        count = 0 if theirs is self._table else await self._parents(alias, theirs.name, key)
        if not count:
            nullable = all(self._table.columns[name].nullable for name in ours)
            return dict.fromkeys(ours, "NULL") if nullable else self._own(key)
        spread = HASH.format(salt=len(self._joins) * 31 + 17)
        pick = f"floor({count} * power({spread} / 2147483648.0, 2))::bigint"
        if any(set(each) == set(ours) for each in self._uniques()):
            pick, self._total = "n - 1", min(self._total, count)
        self._joins.append(f"JOIN {_parent(alias, self._table)} AS {alias} ON {alias}.i = {pick}")
        return {name: f"{alias}.k{number}" for number, name in enumerate(ours)}

    def _own(self, key: ForeignKeyConstraint) -> dict[str, str]:
        """A row that has to refer to its own table refers to itself."""
        if key.elements[0].column.table is not self._table:
            return {}
        positions = {column.name: number for number, column in enumerate(self._table.columns)}
        pairs = ((element.parent, element.column) for element in key.elements)
        made = {mine.name: self._value(theirs, positions[theirs.name]) for mine, theirs in pairs}
        return {name: sql for name, sql in made.items() if sql is not None}

    async def _parents(self, alias: str, table: str, key: ForeignKeyConstraint) -> int:
        """Numbers the rows that a key can refer to, in a temporary table; returns how many there are."""
        name = _parent(alias, self._table)
        columns = [_quote(element.column.name) for element in key.elements]
        named = ", ".join(f"{column} AS k{number}" for number, column in enumerate(columns))
        source = f"SELECT row_number() OVER () - 1 AS i, {named} FROM {_quote(table)}"  # noqa: S608 - names of the catalog
        await self._connection.execute(text(f"CREATE TEMP TABLE {name} AS {source}"))
        await self._connection.execute(text(f"CREATE UNIQUE INDEX ON {name} (i)"))
        await self._connection.execute(text(f"ANALYZE {name}"))
        return int(await self._connection.scalar(text(f"SELECT count(*) FROM {name}")))  # noqa: S608 - a table's name

    def _uniques(self) -> list[Sequence[str]]:
        constraints = [each for each in self._table.constraints if isinstance(each, UniqueConstraint)]
        found: list[Sequence[str]] = [[column.name for column in each.columns] for each in constraints]
        found += [[column.name for column in index.columns] for index in self._table.indexes if index.unique]
        return [*found, [column.name for column in self._table.primary_key.columns]]

    async def _insert(self, values: dict[str, str]) -> int:
        made = 0
        try:
            for first in range(1, self._total + 1, BATCH):
                last = min(first + BATCH - 1, self._total)
                made += (await self._connection.execute(self._statement(values, first, last))).rowcount
                self._progress(self._table.name, last, self._total)
        except DBAPIError as error:
            reason = str(error.orig).partition("\n")[0]
            self._filled.notes.append(f"{self._table.name} has {made} rows only: {reason}")
        if made == 0:
            self._filled.notes.append(f"{self._table.name} stays empty: its constraints refuse the rows made for it")
        return made

    def _statement(self, values: dict[str, str], first: int, last: int) -> TextClause:
        columns = ", ".join(map(_quote, values))
        made = ", ".join(f"CAST({sql} AS {self._types[name]}) AS {_quote(name)}" for name, sql in values.items())
        known = f"(VALUES ({self._total}::bigint, {quoted(self._table.name)})) AS known (total, seed)"
        numbers = f"generate_series({first}::bigint, {last}) AS numbers (n) CROSS JOIN {known} {' '.join(self._joins)}"
        applicable = [check.sql for check in self._checks if set(check.columns) <= values.keys()]
        checked = " AND ".join(f"({sql}) IS NOT FALSE" for sql in applicable) or "true"
        source = f"SELECT {columns} FROM (SELECT {made} FROM {numbers}) AS made WHERE {checked}"  # noqa: S608 - names of the catalog, values of ours
        statement = f"INSERT INTO {self._name} ({columns}) {source} ON CONFLICT DO NOTHING"
        return text(statement.replace(":", "\\:"))  # nothing in it is a parameter


def _parent(alias: str, table: Table) -> str:
    return _quote(f"{alias} of {table.name}"[:60])


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
