"""A database's schema as `pg_dump` tells it, object by object, and the SQL that leads from one schema to another."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from alembic.util import CommandError
from sqlalchemy.engine import URL

from safestep.drift.sql import TableDefinition, alter_enum, alter_settings, alter_table, parse_creation
from safestep.programs import program_on_path
from safestep.steps.backfill import POSITIONS

type FindProgram = Callable[[str], Path]


class SchemaUnreadable(CommandError):
    """`pg_dump` couldn't read the schema; its text says why, in one line."""


class ObjectKey(NamedTuple):
    """What pg_dump calls an object: ("INDEX", "public", "ix_posts_published"), ("CONSTRAINT", …, "users pk_users") …"""

    kind: str
    schema: str
    name: str


type DatabaseSchema = Mapping[ObjectKey, str]
"""The statement that makes each object, in an order in which they can be made."""

_HEADER = re.compile(r"^-- Name: (.+); Type: (.+); Schema: (.+); Owner: .*$", re.MULTILINE)
_END = "\n--\n-- PostgreSQL database dump complete"
_OPTIONS = (
    *("--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--no-tablespaces"),
    *("--no-table-access-method", "--exclude-table=alembic_version", f"--exclude-table={POSITIONS}"),
)
# pg_dump leaves them out, since they wouldn't be worth to be restored.
_INVALID = """
    SELECT json_build_array(nspname, relname, pg_get_indexdef(indexrelid) || ' -- invalid')
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE NOT indisvalid AND relkind = 'i' AND nspname !~ '^pg_' ORDER BY nspname, relname
"""
# Others depend on them, and they can be replaced.
_ROUTINES = ("FUNCTION", "PROCEDURE")
_QUERIES = ("VIEW", "MATERIALIZED VIEW", "STATISTICS")
# Of a table that goes they don't go with it, or would keep others from going.
_OUTLIVES = ("FK CONSTRAINT", "DEFAULT", "SEQUENCE OWNED BY")


def schema_of(url: URL, client_program: FindProgram = program_on_path) -> DatabaseSchema:
    """The schema of a database; Alembic's own table and that of a backfill under way are left out.

    The columns of a table are sorted: one that a later migration added stands last in the database.
    """
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    dumped = _output(client_program("pg_dump"), *_OPTIONS, "--dbname", plain)
    _, *parts = _HEADER.split(dumped.partition(_END)[0])
    schema: dict[ObjectKey, str] = {}
    for name, kind, namespace, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        statement = text.removeprefix("\n--\n").removesuffix("--\n").strip().removesuffix(";")
        schema |= _items(ObjectKey(kind, namespace, name), statement)
    unaligned = ("--no-psqlrc", "--no-align", "--tuples-only")
    invalid = _output(client_program("psql"), *unaligned, "--command", _INVALID, "--dbname", plain)
    for namespace, name, statement in map(json.loads, invalid.splitlines()):
        schema[ObjectKey("INDEX", namespace, name)] = statement
    return schema


def _items(item: ObjectKey, statement: str) -> Iterator[tuple[ObjectKey, str]]:
    if item.kind != "TABLE":
        yield item, statement
        return
    table = TableDefinition.read(statement)
    yield item, str(table)
    for name, definition in sorted(table.checks.items()):
        check = ObjectKey("CHECK CONSTRAINT", item.schema, f"{item.name} {name.strip('"').replace('""', '"')}")
        yield check, f"ALTER TABLE {table.name}\n    ADD CONSTRAINT {name} {definition}"


def _output(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SchemaUnreadable(f"{program.name} failed: {' '.join(done.stderr.split())}")
    return done.stdout


class _SchemaObject:
    """An object of a schema, and what its statement says of it."""

    def __init__(self, item: ObjectKey, statement: str) -> None:
        self.kind, self.item, self.statement = item.kind, item, statement
        self._creation = parse_creation(statement, item.name)
        self.name = self._creation.name if self._creation else item.name
        self.on = self._creation.on if self._creation else None
        self.is_built_on = bool(self._creation) and self.on is None and self.kind not in _QUERIES
        """Others refer to it: made before they are, and dropped after."""

    def depends_on(self, other: "_SchemaObject") -> bool:
        """Whether it can't stay when that is dropped: a part of a view, or a foreign key to what a key made unique."""
        is_reference = self.kind == "FK CONSTRAINT" and other.kind in ("CONSTRAINT", "INDEX")
        return self.on == other.name or (is_reference and f" REFERENCES {other.on}(" in self.statement)

    @property
    def drop(self) -> str:
        return self._creation.drop if self._creation else f"-- unknown to the models: {self.kind} {self.item.name}"

    def must_be_made_again(self, found: "_SchemaObject") -> bool:
        if self.is_built_on and found.is_built_on:
            return self.kind in _ROUTINES and self.signature != found.signature
        return self.parts[0] != found.parts[0]

    @property
    def signature(self) -> str:
        """A routine's arguments and what it returns, which OR REPLACE can't change."""
        return self.statement.partition("\n")[0]

    @property
    def parts(self) -> list[str]:
        """The statement that makes it, and those that set it up."""
        return [part.strip() for part in self.statement.split(";\n")]


def difference(wanted: DatabaseSchema, found: DatabaseSchema) -> list[str]:
    """Statements that lead from the schema that was found to the one that is wanted; none when they are equal.

    They say what differs, in SQL, in an order in which it can be run; a comment names what no statement can do.
    They aren't a migration: they know nothing of data or locks.
    """
    new, old = ({item: _SchemaObject(item, text) for item, text in schema.items()} for schema in (wanted, found))
    changed = [item for item in new if item in old and wanted[item] != found[item]]
    again = {item for item in changed if new[item].must_be_made_again(old[item])}
    away = [thing for item, thing in old.items() if item in again or item not in new]
    again |= {item for item in new.keys() & old.keys() if any(old[item].depends_on(thing) for thing in away)}
    away = [old[item] for item in reversed(old) if item in again or item not in new]
    dropped = _without_what_goes_along(away)
    made = [new[item] for item in new if item in again or item not in old]
    altered = [item for item in changed if item not in again]
    statements = [thing.drop for thing in dropped if not thing.is_built_on]
    statements += [thing.statement for thing in made if thing.is_built_on and thing.item not in again]
    statements += [statement for item in altered for statement in _alter(new[item], old[item])]
    statements += [thing.drop for thing in dropped if thing.is_built_on]
    statements += [thing.statement for thing in made if not thing.is_built_on or thing.item in again]
    if any(item.kind in _ROUTINES and wanted.get(item) != found.get(item) for item in wanted):
        statements.insert(0, "SET check_function_bodies = false")  # they may name what is made later
    return [statement if statement.startswith("--") else f"{statement};" for statement in statements]


def _without_what_goes_along(away: list[_SchemaObject]) -> list[_SchemaObject]:
    """What is a part of a table that is dropped needs no statement of its own."""
    tables = {thing.name for thing in away if thing.kind == "TABLE"}
    return [thing for thing in away if thing.on not in tables or thing.kind in _OUTLIVES]


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
    elif not wanted.is_built_on:
        undone, done = alter_settings(wanted.parts[1:], found.parts[1:])
        yield from [*undone, *done]
    else:
        yield f"-- {wanted.kind} {wanted.name} can't be altered into: {' '.join(statement.split())}"
