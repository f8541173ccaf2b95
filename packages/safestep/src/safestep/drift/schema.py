"""A database's schema as `pg_dump` tells it, object by object."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from alembic.util import CommandError
from sqlalchemy.engine import URL

from safestep.drift.sql import TableDefinition
from safestep.programs import program_on_path
from safestep.steps.backfill import POSITIONS

type FindProgram = Callable[[str], Path]
type Rewrite = Callable[[str], str]


class SchemaUnreadable(CommandError):
    """`pg_dump` couldn't read the schema; its text says why, in one line."""


class ObjectKey(NamedTuple):
    """How pg_dump names an object: ("INDEX", "public", "ix_posts_published"), ("CONSTRAINT", …, "users pk_users") …"""

    kind: str
    schema: str
    name: str


type DatabaseSchema = Mapping[ObjectKey, str]
"""The statement that creates each object, in an order in which they can be created."""

_HEADER = re.compile(r"^-- Name: (.+); Type: (.+); Schema: (.+); Owner: .*$", re.MULTILINE)
_END = "\n--\n-- PostgreSQL database dump complete"
_OPTIONS = (
    *("--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--no-tablespaces"),
    *("--no-table-access-method", "--exclude-table=alembic_version", f"--exclude-table={POSITIONS}"),
)
# pg_dump leaves invalid indexes out: restored, they would be built anew.
# A restore parses `column IN ('a', 'b')` anew, and from then on PostgreSQL writes the list of a varchar in another way.
_CAST_LIST = re.compile(r"\(ARRAY\[((?:'(?:[^']|'')*'::[\w ]+(?:, )?)+)\]\)::text\[\]")
_CAST_VALUE = re.compile(r"'(?:[^']|'')*'::[\w ]+")
_INVALID = """
    SELECT json_build_array(nspname, relname, pg_get_indexdef(indexrelid) || ' -- invalid')
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE NOT indisvalid AND relkind = 'i' AND nspname !~ '^pg_' ORDER BY nspname, relname
"""


def schema_of(url: URL, client_program: FindProgram = program_on_path, rewrite: Rewrite = str) -> DatabaseSchema:
    """The schema of a database; Alembic's own table and that of a backfill under way are left out.

    The columns of a table are sorted by name: in the database, one that a later migration added stands last.
    `client_program` finds PostgreSQL's own programs; `rewrite` is applied to what they print. Raises SchemaUnreadable.
    """
    dumped = rewrite(_output(client_program("pg_dump"), *_OPTIONS, "--dbname", _plain(url)))
    _, *parts = _HEADER.split(dumped.partition(_END)[0])
    schema: dict[ObjectKey, str] = {}
    for name, kind, namespace, text in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        statement = text.removeprefix("\n--\n").removesuffix("--\n").strip().removesuffix(";")
        statement = _CAST_LIST.sub(_as_restored, statement)
        schema |= _objects(ObjectKey(kind, namespace, name), statement)
    for namespace, name, statement in map(json.loads, query(url, _INVALID, client_program)):
        schema[ObjectKey("INDEX", namespace, name)] = statement
    return schema


def _as_restored(found: re.Match[str]) -> str:
    return f"ARRAY[{_CAST_VALUE.sub(lambda value: f'({value[0]})::text', found[1])}]"


def query(url: URL, sql: str, client_program: FindProgram) -> list[str]:
    """The lines that psql prints for this SQL, which ends at the first error; raises SchemaUnreadable."""
    options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1")
    return _output(client_program("psql"), *options, "--command", sql, "--dbname", _plain(url)).splitlines()


def _objects(key: ObjectKey, statement: str) -> Iterator[tuple[ObjectKey, str]]:
    """The object, and of a table also its checks as objects of their own."""
    if key.kind != "TABLE":
        yield key, statement
        return
    table = TableDefinition.read(statement)
    yield key, str(table)
    for name, definition in sorted(table.checks.items()):
        check = ObjectKey("CHECK CONSTRAINT", key.schema, f"{key.name} {name.strip('"').replace('""', '"')}")
        yield check, f"ALTER TABLE {table.name}\n    ADD CONSTRAINT {name} {definition}"


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _output(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SchemaUnreadable(f"{program.name} failed: {' '.join(done.stderr.split())}")
    return done.stdout
