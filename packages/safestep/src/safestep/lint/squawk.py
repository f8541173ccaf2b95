"""Runs squawk, a linter for PostgreSQL migrations, on a revision's SQL. The only module that knows its command line."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from postgast.pg_query_pb2 import ObjectType

from safestep.lint.known_schema import KnownTable
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.new_columns import added_columns, adds_without_rewrite
from safestep.lint.sql import alter_commands, relation_name, type_of
from safestep.lint.tools import squawk_program

CONFIG = Path(__file__).with_name("squawk.toml")
UNBOUNDED_TEXT = {"text", "varchar"}


def violations(revision: LintedRevision) -> Iterator[tuple[LintedStatement, str, str]]:
    """The statement, squawk's rule and its message; false positives are left out.

    Squawk reads the whole run: BEGIN and COMMIT tell it which statements share a transaction.
    """
    of_line: list[LintedStatement] = []
    own_commit = None
    for statement in revision.run:
        blamed = statement
        if statement.kind == "TransactionStmt":
            # Squawk objects to Alembic's COMMIT when it is a COMMIT of the revision's own that left nothing to commit.
            own_commit = statement if statement.line is not None else own_commit
            blamed = own_commit or statement
        of_line += [blamed] * (statement.text.count("\n") + 1)
    for finding in _run(";\n".join(statement.text for statement in revision.run) + ";\n"):
        statement = of_line[min(finding["line"], len(of_line) - 1)]
        if statement.line is not None and not _is_false_positive(finding["rule_name"], statement):
            yield statement, finding["rule_name"], finding["message"]


def _run(sql: str) -> list[dict[str, Any]]:
    options = ["--config", str(CONFIG), "--reporter", "json", "--stdin-filepath", "revision.sql"]
    done = subprocess.run(
        [squawk_program() or "squawk", *options], input=sql, capture_output=True, text=True, check=False
    )
    try:
        findings: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    except ValueError:
        raise CommandError(f"squawk failed: {done.stderr.strip() or done.stdout.strip()}") from None
    return findings


def _is_false_positive(rule: str, statement: LintedStatement) -> bool:
    """Whether the statement is safe because of tables and revisions that squawk doesn't see."""
    match rule:
        case "syntax-error":
            return True  # squawk has a parser of its own, and PostgreSQL's has accepted the statement
        case "adding-field-with-default":
            return all(map(adds_without_rewrite, added_columns(statement.node)))
        case "changing-column-type":
            return all(_only_widens(statement, command, part) for _, command, part in alter_commands(statement.node))
        case "adding-not-nullable-field":
            columns = {command.name for what, command, _ in alter_commands(statement.node) if what == "SetNotNull"}
            return columns <= _table(statement).never_null
        case "renaming-object":
            # No code names an index, and its rename takes a lock that lets reads and writes pass.
            # An enum's value is renamed by a statement of another kind.
            is_rename = statement.kind == "RenameStmt"
            return is_rename and bool(statement.node.rename_type == ObjectType.OBJECT_INDEX)
    return False


def _only_widens(statement: LintedStatement, command: Any, definition: Any) -> bool:
    """Whether a varchar(n) becomes a longer one or text, which rewrites nothing.

    Not when the column has a check, since every row is read to validate it again, and not when the collation
    changes, since the column's indexes are rebuilt.
    """
    table = _table(statement)
    old, new = table.columns.get(command.name), type_of(definition)
    is_plain = not (definition.HasField("raw_default") or definition.HasField("coll_clause"))
    if old is None or old[0] != "varchar" or new[0] not in UNBOUNDED_TEXT or not is_plain:
        return False
    has_check = any(command.name in check.columns for check in table.checks.values())
    return not has_check and (not new[1] or (bool(old[1]) and old[1] <= new[1]))


def _table(statement: LintedStatement) -> KnownTable:
    return statement.before.table(relation_name(statement.node.relation))
