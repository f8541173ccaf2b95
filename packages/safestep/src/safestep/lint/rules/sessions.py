"""Settings of the migration's session that reach further than the revision shows."""

from collections.abc import Iterator

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.rules.rule import Violation, altering, by_hand, rule
from safestep.lint.sql import alter_commands, constant_text, find_nodes
from safestep.lint.timeouts import STATEMENT_TIMEOUT, session_settings, stored_settings

ROLE = "session_replication_role"
ENDING = {"pg_cancel_backend", "pg_terminate_backend"}
# A trigger that is enabled for replicas runs only there.
DISABLING = ("DisableTrig", "DisableTrigAll", "DisableTrigUser", "EnableReplicaTrig")


@rule("triggers-disabled")
def triggers_disabled(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, *DISABLING):
        commands = {what: command.name for what, command, _ in alter_commands(statement.node) if what in DISABLING}
        which = ", ".join(sorted({*commands.values()} - {""})) or "its triggers"
        yield statement, f"Whoever writes to the table from here on, writes without {which}."
    for statement in revision.statements:
        for setting in [*session_settings(statement, ROLE), *stored_settings(statement, ROLE)]:
            if setting.value is not None and constant_text(setting.value) != "origin":
                yield statement, "Under it neither triggers run nor are foreign keys checked, on any table."


@rule("search-path-changed")
def search_path_changed(revision: LintedRevision) -> Iterator[Violation]:
    for statement in by_hand(revision):
        for setting in session_settings(statement, "search_path"):
            if setting.value is not None and constant_text(setting.value) != "public":
                yield (
                    statement,
                    "From here on a name without a schema may mean another table than one in public.",
                )


@rule("sessions-ended")
def sessions_ended(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        called = {call.funcname[-1].string.sval for call in find_nodes(statement.node, "FuncCall")}
        if statement.kind != "CreateFunctionStmt" and (ending := sorted(called & ENDING)):
            yield statement, f"{ending[0]}() ends what others are doing, whoever they are."


@rule("statement-timeout-off")
def statement_timeout_off(revision: LintedRevision) -> Iterator[Violation]:
    for statement in by_hand(revision):
        settings = [*session_settings(statement, STATEMENT_TIMEOUT), *stored_settings(statement, STATEMENT_TIMEOUT)]
        if any(setting.is_off for setting in settings):
            yield statement, "0 means no timeout: a statement that holds a strong lock may hold it without end."
