"""Reads the statements of `pg_dump`: what each creates, what drops it, and what turns one into another.

Names are taken from the statements, where they are quoted and have their schema.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
_FULL = rf"{_NAME}(?:\.{_NAME})?"
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|[^'"(),]+""")
_COLUMN = re.compile(
    r"(?P<type>.+?)(?: DEFAULT (?P<default>.+?)| GENERATED ALWAYS AS (?P<generated>.+?))?"
    r"(?P<required>(?: CONSTRAINT \S+)? NOT NULL(?: NO INHERIT)?)?(?P<collation> COLLATE \S+)?",
    re.DOTALL,
)


class Creation(NamedTuple):
    """What a statement creates: its full name, the table that it is a part of, and the statement that drops it."""

    name: str
    on: str | None
    drop: str


_CREATIONS = [
    (re.compile(pattern.replace("NAME", _NAME).replace("FULL", _FULL), re.DOTALL), drop)
    for pattern, drop in {
        r"CREATE (?:UNIQUE )?INDEX (?P<name>NAME) ON (?:ONLY )?(?P<on>(?P<schema>NAME\.)?NAME)": (
            "DROP INDEX {schema}{name}"
        ),
        r"CREATE (?:CONSTRAINT )?TRIGGER (?P<name>NAME) .+? ON (?P<on>FULL)": "DROP TRIGGER {name} ON {on}",
        r"CREATE POLICY (?P<name>NAME) ON (?P<on>FULL)": "DROP POLICY {name} ON {on}",
        r"CREATE RULE (?P<name>NAME) AS\s+ON \w+ TO (?P<on>FULL)": "DROP RULE {name} ON {on}",
        r"CREATE (?P<kind>FUNCTION|PROCEDURE|AGGREGATE) (?P<name>FULL)\(": "DROP {kind} {name}{arguments}",
        r"CREATE (?:UNLOGGED )?(?P<kind>[A-Z][A-Z ]*?) (?:IF NOT EXISTS )?(?P<name>FULL)": "DROP {kind} {name}",
        r"ALTER TABLE (?:ONLY )?(?P<on>FULL)\s+ADD CONSTRAINT (?P<name>NAME)": (
            "ALTER TABLE {on} DROP CONSTRAINT {name}"
        ),
        r"ALTER TABLE (?:ONLY )?(?P<on>FULL) ALTER COLUMN (?P<name>NAME) SET DEFAULT": (
            "ALTER TABLE {on} ALTER COLUMN {name} DROP DEFAULT"
        ),
        r"ALTER TABLE (?:ONLY )?(?P<on>FULL) ALTER COLUMN (?P<name>NAME) ADD GENERATED": (
            "ALTER TABLE {on} ALTER COLUMN {name} DROP IDENTITY"
        ),
        r"ALTER TABLE (?:ONLY )?(?P<on>FULL) ENABLE ROW LEVEL SECURITY": "ALTER TABLE {on} DISABLE ROW LEVEL SECURITY",
        r"ALTER TABLE ONLY (?P<name>FULL) ATTACH PARTITION (?P<on>FULL)": "ALTER TABLE {name} DETACH PARTITION {on}",
        r"ALTER SEQUENCE (?P<name>FULL) OWNED BY (?P<on>FULL)\.NAME": "ALTER SEQUENCE {name} OWNED BY NONE",
    }.items()
]
_UNDO = [
    (re.compile(pattern), undo)
    for pattern, undo in {
        r"(.+ )REPLICA IDENTITY .+": r"\1REPLICA IDENTITY DEFAULT",
        r"(.+ )FORCE ROW LEVEL SECURITY": r"\1NO FORCE ROW LEVEL SECURITY",
        r"(.+ )CLUSTER ON .+": r"\1SET WITHOUT CLUSTER",
        r"(.+ )DISABLE (TRIGGER .+)": r"\1ENABLE \2",
        r"(.+ SET STATISTICS) \d+": r"\1 -1",
        r"(.+ SET (?:STORAGE|COMPRESSION)) \w+": r"\1 DEFAULT",
    }.items()
]


def parse_creation(statement: str, tag: str) -> Creation | None:
    """None for what no statement can drop. `tag` is pg_dump's name of it, with the types of its arguments."""
    for pattern, drop in _CREATIONS:
        if found := pattern.match(statement):
            parts = {name: part or "" for name, part in found.groupdict().items()}
            arguments = tag[tag.find("(") :]
            return Creation(parts.get("name", ""), parts.get("on"), drop.format(**parts, arguments=arguments))
    return None


class TableDefinition(NamedTuple):
    """A CREATE TABLE statement, its parts by name, and the statements after it that set the table up."""

    name: str
    is_unlogged: bool
    columns: dict[str, str]
    checks: dict[str, str]
    kind: str
    """Such as `PARTITION BY …` or `INHERITS (…)`."""
    options: dict[str, str]
    settings: list[str]

    @classmethod
    def read(cls, statement: str) -> Self:
        head, _, body = statement.partition(" (\n")
        is_unlogged = head.startswith("CREATE UNLOGGED ")
        entries, behind = _entries(body)
        tail, *settings = (part.strip(" \n;") for part in f"{behind};\n".split(";\n"))
        kind, _, options = tail.partition("WITH (")
        named = [re.match(rf"(CONSTRAINT )?({_NAME}) (.+)", entry, re.DOTALL) for entry in entries]
        parts = [found.groups() for found in named if found]
        return cls(
            name=head.removeprefix("CREATE UNLOGGED TABLE " if is_unlogged else "CREATE TABLE "),
            is_unlogged=is_unlogged,
            columns={name: definition for is_check, name, definition in parts if not is_check},
            checks={name: definition for is_check, name, definition in parts if is_check},
            kind=kind.strip(),
            options={option.partition("=")[0]: option for option in sorted(_entries(options)[0])},
            settings=sorted(filter(None, settings)),
        )

    def __str__(self) -> str:
        """The same text for two equal tables: the columns sorted, without the checks."""
        columns = ",\n".join(f"    {name} {definition}" for name, definition in sorted(self.columns.items()))
        made = f"CREATE {'UNLOGGED ' if self.is_unlogged else ''}TABLE {self.name} (\n{columns}\n)"
        options = f"WITH ({', '.join(self.options.values())})" if self.options else ""
        return ";\n".join(["\n".join(filter(None, [made, self.kind, options])), *self.settings])


def alter_table(wanted: TableDefinition, found: TableDefinition) -> Iterator[str]:
    """Settings and columns are dropped before new ones are added, which may need the name of an old constraint."""
    alter = f"ALTER TABLE {wanted.name}"
    if wanted.kind != found.kind:
        yield f"-- {wanted.name} has to be made anew: {wanted.kind or 'a plain table'}, not {found.kind or 'one'}"
    undo, add = alter_settings(wanted.settings, found.settings)
    yield from undo
    for name in sorted(found.columns.keys() - wanted.columns.keys()):
        yield f"{alter} DROP COLUMN {name}"
    for name in sorted(wanted.columns.keys() - found.columns.keys()):
        yield f"{alter} ADD COLUMN {name} {wanted.columns[name]}"
    for name in sorted(wanted.columns.keys() & found.columns.keys()):
        for change in _alter_column(name, wanted.columns[name], found.columns[name]):
            yield f"{alter} {change}"
    if wanted.is_unlogged != found.is_unlogged:
        yield f"{alter} SET {'UNLOGGED' if wanted.is_unlogged else 'LOGGED'}"
    if lost := found.options.keys() - wanted.options.keys():
        yield f"{alter} RESET ({', '.join(sorted(lost))})"
    if new := sorted(wanted.options.items() - found.options.items()):
        yield f"{alter} SET ({', '.join(option for _, option in new)})"
    yield from add


def alter_settings(wanted: list[str], found: list[str]) -> tuple[list[str], list[str]]:
    """The statements that undo those which aren't wanted, and those that are missing."""
    return [_undone(one) for one in found if one not in wanted], [one for one in wanted if one not in found]


def alter_enum(name: str, wanted: str, found: str) -> Iterator[str]:
    new, old = (_entries(statement.partition("(")[2])[0] for statement in (wanted, found))
    if [value for value in new if value in old] != old:
        yield f"-- {name} has values that have to go or to move, which PostgreSQL can't do: make another type"
        return
    for place, value in enumerate(new):
        if value not in old:
            neighbour = f" AFTER {new[place - 1]}" if place else f" BEFORE {old[0]}" if old else ""
            yield f"ALTER TYPE {name} ADD VALUE {value}{neighbour}"


def _alter_column(name: str, wanted: str, found: str) -> Iterator[str]:
    if wanted == found:
        return
    new, old = _COLUMN.fullmatch(wanted), _COLUMN.fullmatch(found)
    if new is None or old is None or new["generated"] != old["generated"]:
        yield f"DROP COLUMN {name}"
        yield f"ADD COLUMN {name} {wanted}"
        return
    column, default = f"ALTER COLUMN {name}", old["default"]
    if new.group("type", "collation") != old.group("type", "collation"):
        if default:
            yield f"{column} DROP DEFAULT"  # it would have to be cast as well
            default = None
        yield f"{column} TYPE {new['type']}{new['collation'] or ''}{_using(name, new['type'], old['type'])}"
    if new["default"] != default:
        yield f"{column} SET DEFAULT {new['default']}" if new["default"] else f"{column} DROP DEFAULT"
    if new["required"] != old["required"]:
        if old["required"]:
            yield f"{column} DROP NOT NULL"
        if new["required"]:
            named = "CONSTRAINT" in new["required"]
            yield f"ADD{new['required']} {name}" if named else f"{column} SET NOT NULL"


def _using(name: str, new: str, old: str) -> str:
    """A cast where an assignment may not do; not to a type with a length, which would cut values off."""
    is_same = new.partition("(")[0] == old.partition("(")[0]
    return "" if is_same or "(" in new else f" USING {name}::{new}"


def _entries(text: str) -> tuple[list[str], str]:
    """The parts between commas up to the closing parenthesis, and the text after it."""
    entries, depth = [""], 0
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece == ")" and not depth:
            return [entry.strip() for entry in entries if entry.strip()], text[match.end() :]
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            entries.append("")
        else:
            entries[-1] += piece
    return [], text


def _undone(setting: str) -> str:
    for pattern, undo in _UNDO:
        if pattern.fullmatch(setting):
            return pattern.sub(undo, setting)
    return f"-- unknown to the models: {setting}"
