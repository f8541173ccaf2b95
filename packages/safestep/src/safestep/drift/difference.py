"""The SQL that turns one database schema into another."""

import re
from collections.abc import Iterator

from safestep.drift.schema import DatabaseSchema, ObjectKey
from safestep.drift.sql import TableDefinition, alter_enum, alter_settings, alter_table, parse_creation

# Other objects depend on them; CREATE OR REPLACE changes them in place.
_ROUTINES = ("FUNCTION", "PROCEDURE")
_QUERIES = ("VIEW", "MATERIALIZED VIEW", "STATISTICS")
# DROP TABLE doesn't drop them, or would fail because of them.
_OUTLIVES = ("FK CONSTRAINT", "DEFAULT", "SEQUENCE OWNED BY")
_REFERRED = re.compile(r" REFERENCES (?P<table>.+?)\((?P<columns>.+?)\)")
# A unique index with a condition or an expression is no key that a foreign one can refer to.
_KEY = re.compile(
    r"(?:PRIMARY KEY|UNIQUE|CREATE UNIQUE INDEX .+? USING \w+)(?: NULLS NOT DISTINCT)? \((?P<columns>.+?)\)"
)


def difference(wanted: DatabaseSchema, found: DatabaseSchema) -> list[str]:
    """Statements that turn the schema that was found into the one that is wanted; none when they are equal.

    They say what differs, in SQL, in an order in which it can be run; a comment names what no statement can do.
    They aren't a migration: they know nothing of data or locks.
    """
    new, old = ({key: _SchemaObject(key, text) for key, text in schema.items()} for schema in (wanted, found))
    changed = [key for key in new if key in old and wanted[key] != found[key]]
    replaced = _replaced(new, old, changed)
    dropped = _without_parts_of_dropped_tables([old[key] for key in reversed(old) if key in replaced or key not in new])
    created = [new[key] for key in new if key in replaced or key not in old]
    statements = [each.drop for each in dropped if not each.is_foundation]
    statements += [each.statement for each in created if each.is_foundation and each.key not in replaced]
    statements += [sql for key in changed if key not in replaced for sql in _alter(new[key], old[key])]
    statements += [each.drop for each in dropped if each.is_foundation]
    statements += [each.statement for each in created if not each.is_foundation or each.key in replaced]
    if any(key.kind in _ROUTINES and wanted.get(key) != found.get(key) for key in wanted):
        statements.insert(0, "SET check_function_bodies = false")  # they may name what is created later
    return [sql if sql.startswith("--") else f"{sql};" for sql in statements]


class _SchemaObject:
    """An object of a schema, and what its statement says of it."""

    def __init__(self, key: ObjectKey, statement: str) -> None:
        self.kind, self.key, self.statement = key.kind, key, statement
        self._creation = parse_creation(statement, key.name)
        self.name = self._creation.name if self._creation else key.name
        self.table = self._creation.on if self._creation else None
        """The table or view that it is a part of."""
        self.is_foundation = bool(self._creation) and self.table is None and self.kind not in _QUERIES
        """Others refer to it, so it is created before them and dropped after them."""

    def depends_on(self, other: "_SchemaObject") -> bool:
        """Whether it can't stay when that is dropped: a part of a view, or a foreign key to the columns of a key."""
        if self.kind != "FK CONSTRAINT" or other.kind not in ("CONSTRAINT", "INDEX"):
            return self.table == other.name
        referred, key = _REFERRED.search(self.statement), _KEY.search(other.statement)
        if not (referred and key) or referred["table"] != other.table:
            return False
        return {*referred["columns"].split(", ")} == {*key["columns"].split(", ")}

    @property
    def drop(self) -> str:
        return self._creation.drop if self._creation else f"-- unknown to the models: {self.kind} {self.key.name}"

    def must_replace(self, found: "_SchemaObject") -> bool:
        """Whether that has to be dropped and created anew, because it can't be altered into this one."""
        if self.is_foundation and found.is_foundation:
            return self.kind in _ROUTINES and self.signature != found.signature
        return self.parts[0] != found.parts[0]

    @property
    def signature(self) -> str:
        """A routine's arguments and what it returns, which OR REPLACE can't change."""
        return self.statement.partition("\n")[0]

    @property
    def parts(self) -> list[str]:
        """The statement that creates it, and those that set it up."""
        return [part.strip() for part in self.statement.split(";\n")]


type _Objects = dict[ObjectKey, _SchemaObject]


def _replaced(new: _Objects, old: _Objects, changed: list[ObjectKey]) -> set[ObjectKey]:
    """What is dropped and created anew: it can't be altered, or it depends on something that is dropped."""
    replaced = {key for key in changed if new[key].must_replace(old[key])}
    dropped = [each for key, each in old.items() if key in replaced or key not in new]
    return replaced | {key for key in new.keys() & old.keys() if any(old[key].depends_on(each) for each in dropped)}


def _without_parts_of_dropped_tables(dropped: list[_SchemaObject]) -> list[_SchemaObject]:
    """DROP TABLE drops its parts too, so they need no statement of their own."""
    tables = {each.name for each in dropped if each.kind == "TABLE"}
    return [each for each in dropped if each.table not in tables or each.kind in _OUTLIVES]


def _alter(wanted: _SchemaObject, found: _SchemaObject) -> Iterator[str]:
    statement = wanted.statement
    if wanted.kind == "TABLE":
        yield from alter_table(TableDefinition.read(statement), TableDefinition.read(found.statement))
    elif wanted.kind in _ROUTINES:
        yield statement.replace("CREATE", "CREATE OR REPLACE", 1)
    elif " AS ENUM (" in statement and " AS ENUM (" in found.statement:
        yield from alter_enum(wanted.name, statement, found.statement)
    elif wanted.kind == "SEQUENCE":
        yield statement.replace("CREATE", "ALTER", 1) + ("" if statement.endswith("CYCLE") else " NO CYCLE")
    elif not wanted.is_foundation:
        undo, add = alter_settings(wanted.parts[1:], found.parts[1:])
        yield from [*undo, *add]
    else:
        yield f"-- {wanted.kind} {wanted.name} can't be altered into: {' '.join(statement.split())}"
