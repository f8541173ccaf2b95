"""Values that requests are about: keys of rows that are in the database."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from safestep.connections import first_line, sqlstate
from safestep.rehearsal.errors import RehearsalError

UNDEFINED = ("42P01", "42703")  # an older schema lacks the table or the column
ROWS = 1000  # enough that no row is asked for too often

KEYS = text("""
    SELECT rel.relname AS table, att.attname AS column, rel.oid::regclass::text AS source, NULL AS name, NULL AS owner
    FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid
    JOIN pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = con.conkey[1]
    WHERE contype = 'p' AND cardinality(conkey) = 1 AND NOT rel.relispartition
      AND rel.relnamespace = ANY (current_schemas(false)::regnamespace[])
    UNION ALL
    SELECT rel.relname, att.attname, rel.oid::regclass::text, own.attname, mine.relname
    FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.confrelid JOIN pg_class mine ON mine.oid = con.conrelid
    JOIN pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = con.confkey[1]
    JOIN pg_attribute own ON own.attrelid = con.conrelid AND own.attnum = con.conkey[1]
    WHERE contype = 'f' AND cardinality(conkey) = 1 AND con.conparentid = 0
      AND mine.relnamespace = ANY (current_schemas(false)::regnamespace[])
    ORDER BY 5, 1
""")

type Values = deque[Any]
"""Of one name, each taken in turn, so that two changes at once are about different rows."""


class Samples:
    """Reads the values of a name when it is first asked for them."""

    def __init__(self, connection: AsyncConnection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries
        self._read: dict[str, Values] = {}
        self.faults: dict[str, str] = {}
        """By name, why its query fails."""
        self._primary: dict[str, str] = {}
        self._foreign: dict[tuple[str, str], str] = {}
        self._referred: dict[str, str] = {}

    @classmethod
    async def of(cls, connection: AsyncConnection, queries: Mapping[str, str]) -> Self:
        """`queries` are SQL by name; other names are looked up among the keys of the database."""
        made = cls(connection, queries)
        for row in await connection.execute(KEYS):
            column = _quoted(row.column)
            query = f"SELECT {column} FROM {row.source} ORDER BY {column} DESC LIMIT {ROWS}"  # noqa: S608 - names of the catalog
            if row.name is None:
                made._primary[row.table] = query
            else:
                made._foreign[row.owner, row.name] = query
                made._referred.setdefault(row.name, query)
        return made

    async def of_path(self, name: str, collection: str) -> Values:
        """Values of a parameter that stands behind `collection` in a path; none when no key is known for it."""
        return await self._values(
            name, self._queries.get(name) or self._primary.get(collection) or self._key(name, collection)
        )

    async def of_field(self, name: str, collection: str) -> Values:
        """Values of a field or of a parameter in a query; none when no key has this name."""
        return await self._values(name, self._key(name, collection))

    def is_key(self, name: str, collection: str) -> bool:
        return self._key(name, collection) is not None

    def _key(self, name: str, collection: str) -> str | None:
        return self._queries.get(name) or self._foreign.get((collection, name)) or self._referred.get(name)

    async def _values(self, name: str, query: str | None) -> Values:
        if query is None:
            return deque()
        if query not in self._read:
            try:
                rows = (await self._connection.scalars(text(query.replace(":", "\\:")))).all()
            except DBAPIError as error:
                if sqlstate(error) not in UNDEFINED:
                    raise RehearsalError(f"the samples of {name} can't be read: {first_line(error)}") from error
                self.faults[name] = first_line(error)
                rows = []
            self._read[query] = deque(str(each) if isinstance(each, UUID) else each for each in rows)
        return self._read[query]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
