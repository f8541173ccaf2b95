"""Runs squawk, a linter for PostgreSQL migrations, on a revision's SQL. The only module that knows its command line."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgast
from alembic.util import CommandError
from postgast.pg_query_pb2 import CreateStmt, Node, ObjectType, ParseResult, RawStmt

from safestep.lint.column_types import keeps_rows, only_changes_type, retyped_columns
from safestep.lint.known_tables import KnownTable
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.new_columns import added_columns, adds_without_rewrite
from safestep.lint.sql import alter_commands, relation_name, type_of
from safestep.lint.tools import squawk_program

CONFIG = Path(__file__).with_name("squawk.toml")
# No code names an index or a constraint, and an index's rename takes a lock that lets reads and writes pass.
NAMED_BY_NOBODY = (ObjectType.OBJECT_INDEX, ObjectType.OBJECT_TABCONSTRAINT, ObjectType.OBJECT_DOMCONSTRAINT)


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
    for finding in _run(";\n".join(map(_text_for_squawk, revision.run)) + ";\n"):
        statement = of_line[min(finding["line"], len(of_line) - 1)]
        if statement.line is not None and not _is_false_positive(finding["rule_name"], statement):
            yield statement, finding["rule_name"], finding["message"]


def _text_for_squawk(statement: LintedStatement) -> str:
    """As many lines as the statement has. To squawk a table that IF NOT EXISTS may have found is a new one, so it
    gets to see another name.
    """
    if statement.kind != "CreateStmt" or not statement.node.if_not_exists:
        return statement.text
    node = CreateStmt()
    node.CopyFrom(statement.node)
    node.relation.relname = "another"
    text: str = postgast.deparse(ParseResult(stmts=[RawStmt(stmt=Node(create_stmt=node))]))
    return text + "\n" * statement.text.count("\n")


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
    node, is_false = statement.node, False
    match rule:
        case "syntax-error":
            is_false = True  # squawk has a parser of its own, and PostgreSQL's has accepted the statement
        case "adding-field-with-default":
            is_false = all(map(adds_without_rewrite, added_columns(node)))
        case "changing-column-type":
            is_false = all(_keeps_rows(statement, name, part) for name, part in retyped_columns(node))
        case "adding-not-nullable-field":
            columns = {command.name for what, command, _ in alter_commands(node) if what == "SetNotNull"}
            is_false = columns <= _table(statement).never_null
        case "ban-alter-domain-with-add-constraint":
            is_false = getattr(node, "def").constraint.skip_validation  # the field's name is a keyword of Python
        case "renaming-object" if statement.kind == "RenameStmt":
            # Another kind of statement renames an enum's value, which code names.
            is_false = node.rename_type in NAMED_BY_NOBODY
        case "require-concurrent-index-creation":
            # ON ONLY a partitioned table makes an entry in the catalog, and builds nothing.
            is_false = not node.relation.inh and _table(statement).is_partitioned
    return is_false


def _keeps_rows(statement: LintedStatement, column: str, definition: Any) -> bool:
    """Not when the column has a check, since every row is read to validate it again."""
    table = _table(statement)
    has_check = any(column in check.columns for check in table.checks.values())
    return (
        keeps_rows(table.columns.get(column), type_of(definition)) and only_changes_type(definition) and not has_check
    )


def _table(statement: LintedStatement) -> KnownTable:
    return statement.before.table(relation_name(statement.node.relation))
