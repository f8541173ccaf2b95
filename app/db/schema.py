"""A database's schema as `pg_dump` tells it, object by object, and the SQL that leads from one schema to another."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy.engine import URL

from app.db.embedded import binary


class SchemaUnreadable(Exception):
    """`pg_dump` couldn't read the schema; its text says why, in one line."""


class Item(NamedTuple):
    """What pg_dump calls an object: ("INDEX", "ix_posts_published"), ("CONSTRAINT", "users pk_users") …"""

    kind: str
    name: str


type Schema = Mapping[Item, str]
"""The statement that makes each object."""

_HEADER = re.compile(r"^-- Name: (.+); Type: (.+); Schema: .+; Owner: .*$", re.MULTILINE)
_COLUMN = re.compile(r"(?P<name>\"[^\"]+\"|\S+) (?P<type>.+?)(?: DEFAULT (?P<default>.+?))?(?P<required> NOT NULL)?")
_BUILT_ON = ("TYPE", "FUNCTION", "SEQUENCE", "TABLE")  # what other objects refer to
_DROP = {
    "TABLE": "DROP TABLE {name}",
    "INDEX": "DROP INDEX {name}",
    "VIEW": "DROP VIEW {name}",
    "TYPE": "DROP TYPE {name}",
    "SEQUENCE": "DROP SEQUENCE {name}",
    "FUNCTION": "DROP FUNCTION {name}",
    "CONSTRAINT": "ALTER TABLE {on} DROP CONSTRAINT {name}",
    "FK CONSTRAINT": "ALTER TABLE {on} DROP CONSTRAINT {name}",
    "CHECK CONSTRAINT": "ALTER TABLE {on} DROP CONSTRAINT {name}",
    "TRIGGER": "DROP TRIGGER {name} ON {on}",
    "DEFAULT": "ALTER TABLE {on} ALTER COLUMN {name} DROP DEFAULT",
}


def schema_of(url: URL) -> Schema:
    """The schema of a database, Alembic's own table left out.

    The columns of a table are sorted: one that a later migration added stands last in the database.
    """
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = ["--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--exclude-table=alembic_version"]
    done = subprocess.run([binary("pg_dump"), *options, "--dbname", plain], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SchemaUnreadable(f"pg_dump failed: {' '.join(done.stderr.split())}")
    _, *parts = _HEADER.split(done.stdout)
    items = zip(parts[1::3], parts[::3], parts[2::3], strict=True)
    return {Item(kind, name): _statement(kind, text) for kind, name, text in items}


def _statement(kind: str, text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\", "SET ", "SELECT "))]
    if kind == "TABLE":
        first, *columns, last = lines
        lines = [first, *sorted(column.rstrip(",") for column in columns), last]
    return "\n".join(lines).removesuffix(";")


def difference(wanted: Schema, found: Schema) -> list[str]:
    """Statements that lead from the schema that was found to the one that is wanted; none when they are equal.

    They say what differs, in SQL. They aren't a migration: they know nothing of data or locks.
    """
    changed = [item for item in sorted(wanted.keys() & found.keys()) if wanted[item] != found[item]]
    missing = sorted(wanted.keys() - found.keys())
    statements = [_drop(item) for item in sorted(found.keys() - wanted.keys())]
    statements += [wanted[item] for item in missing if item.kind in _BUILT_ON]
    statements += [statement for item in changed for statement in _alter(item, wanted[item], found[item])]
    statements += [wanted[item] for item in missing if item.kind not in _BUILT_ON]
    return [f"{statement};" for statement in statements]


def _drop(item: Item) -> str:
    on, _, name = item.name.rpartition(" ")
    template = _DROP.get(item.kind)
    if template is None:
        return f"-- unknown to the models: {item.kind} {item.name}"
    return template.format(on=on, name=name if "{on}" in template else item.name)


def _alter(item: Item, wanted: str, found: str) -> list[str]:
    if item.kind != "TABLE":
        return [_drop(item), wanted]
    new, old = _columns(wanted), _columns(found)
    table = f"ALTER TABLE {item.name}"
    added = [f"{table} ADD {new[name]}" for name in sorted(new.keys() - old.keys())]
    dropped = [f"{table} DROP {_part(name)}" for name in sorted(old.keys() - new.keys())]
    changed = [
        f"{table} {change}"
        for name in sorted(new.keys() & old.keys())
        if new[name] != old[name]
        for change in _changes(name, new[name], old[name])
    ]
    return added + dropped + changed


def _columns(create_table: str) -> dict[str, str]:
    """The lines of a CREATE TABLE by the column they make, or by `CONSTRAINT name`."""
    lines = [line.strip() for line in create_table.splitlines()[1:-1]]
    return {" ".join(line.split()[: 2 if line.startswith("CONSTRAINT ") else 1]): line for line in lines}


def _part(name: str) -> str:
    return name if name.startswith("CONSTRAINT ") else f"COLUMN {name}"


def _changes(name: str, wanted: str, found: str) -> Iterator[str]:
    new, old = _COLUMN.fullmatch(wanted), _COLUMN.fullmatch(found)
    if name.startswith("CONSTRAINT ") or new is None or old is None:
        yield f"DROP {_part(name)}"
        yield f"ADD {wanted}"
        return
    column = f"ALTER COLUMN {name}"
    if new["type"] != old["type"]:
        yield f"{column} TYPE {new['type']}"
    if new["default"] != old["default"]:
        yield f"{column} SET DEFAULT {new['default']}" if new["default"] else f"{column} DROP DEFAULT"
    if new["required"] != old["required"]:
        yield f"{column} {'SET' if new['required'] else 'DROP'} NOT NULL"
