"""Runs squawk, a linter for PostgreSQL migrations, on a revision's SQL. The only module that knows its command line."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from postgast.pg_query_pb2 import ObjectType

from safestep.lint.columns import added, is_steady
from safestep.lint.reading import Reading, Step
from safestep.lint.schema import Table
from safestep.lint.sql import Statement, commands, full_name, type_of

CONFIG = Path(__file__).with_name("squawk.toml")
UNBOUNDED = {"text", "varchar"}


def check(statements: list[Statement], reading: Reading) -> Iterator[tuple[Step, str, str]]:
    """The step, the rule and the message of each objection that what we know of the tables doesn't answer.

    `statements` are those of the whole run: BEGIN and COMMIT tell squawk what shares a transaction.
    """
    steps = {id(step.statement): step for step in reading.steps}
    owners: list[Step | None] = []
    by_hand = None
    for statement in statements:
        step = steps.get(id(statement))
        if statement.kind == "TransactionStmt":
            # Squawk objects to Alembic's COMMIT when it is the revision's own that left nothing to commit.
            step = by_hand = step or by_hand
        owners += [step] * (statement.text.count("\n") + 1)
    for finding in _run(";\n".join(statement.text for statement in statements) + ";\n"):
        step = owners[min(finding["line"], len(owners) - 1)]
        if step and not _answered(finding["rule_name"], step):
            yield step, finding["rule_name"], finding["message"]


def places() -> str:
    """Where squawk is looked for, this interpreter's folder first: a virtual environment needn't be activated."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def _run(sql: str) -> list[dict[str, Any]]:
    binary = shutil.which("squawk", path=places())
    if binary is None:
        raise CommandError("squawk isn't installed beside this Python: `make` installs it, or `pip install squawk-cli`")
    options = ["--config", str(CONFIG), "--reporter", "json", "--stdin-filepath", "revision.sql"]
    done = subprocess.run([binary, *options], input=sql, capture_output=True, text=True, check=False)
    try:
        findings: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    except ValueError:
        raise CommandError(f"squawk failed: {done.stderr.strip() or done.stdout.strip()}") from None
    return findings


def _answered(rule: str, step: Step) -> bool:
    """Whether squawk, which sees neither the tables nor the revisions before, objects to what is safe here."""
    match rule:
        case "syntax-error":
            return True  # squawk has a parser of its own, and PostgreSQL's has read the statement
        case "adding-field-with-default":
            return all(map(is_steady, added(step.node)))
        case "changing-column-type":
            return all(_only_widens(step, command, part) for _, command, part in commands(step.node))
        case "adding-not-nullable-field":
            proven = _table(step).never_null
            return all(command.name in proven for what, command, _ in commands(step.node) if what == "SetNotNull")
        case "renaming-object":
            # No code names an index, and this rename takes a lock that lets reads and writes pass.
            # An enum's value is renamed by a statement of another kind.
            is_rename = step.statement.kind == "RenameStmt"
            return is_rename and bool(step.node.rename_type == ObjectType.OBJECT_INDEX)
    return False


def _only_widens(step: Step, command: Any, definition: Any) -> bool:
    """varchar(n) to a larger one or to text: nothing is rewritten, and read only where a check has to hold again.

    Not with a collation of its own: the column's indexes would be built anew.
    """
    table = _table(step)
    old, new = table.columns.get(command.name), type_of(definition)
    is_plain = not (definition.HasField("raw_default") or definition.HasField("coll_clause"))
    if old is None or old[0] != "varchar" or new[0] not in UNBOUNDED or not is_plain:
        return False
    checked = any(command.name in check.columns for check in table.checks.values())
    return not checked and (not new[1] or (bool(old[1]) and old[1] <= new[1]))


def _table(step: Step) -> Table:
    return step.before.table(full_name(step.node.relation))
