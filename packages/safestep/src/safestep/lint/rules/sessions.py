"""Settings of the migration's session that reach further than the revision shows."""

from collections.abc import Iterator

from safestep.lint.linted_revision import LintedRevision
from safestep.lint.rules.rule import Violation, altering, by_hand, of_kind, rule
from safestep.lint.sql import constant_text
from safestep.lint.timeouts import STATEMENT_TIMEOUT, session_settings, stored_settings

ROLE = "session_replication_role"


@rule("triggers-disabled")
def triggers_disabled(revision: LintedRevision) -> Iterator[Violation]:
    for statement in altering(revision, "DisableTrigAll", "DisableTrigUser"):
        yield statement, "Until they are enabled again, no trigger of the table runs, whoever writes to it."
    for statement in of_kind(revision, "VariableSetStmt", "SelectStmt"):
        for setting in session_settings(statement, ROLE):
            if setting.value is not None and constant_text(setting.value) != "origin":
                yield statement, "From here on neither triggers run nor are foreign keys checked, on any table."


@rule("statement-timeout-off")
def statement_timeout_off(revision: LintedRevision) -> Iterator[Violation]:
    for statement in by_hand(revision):
        settings = [*session_settings(statement, STATEMENT_TIMEOUT), *stored_settings(statement, STATEMENT_TIMEOUT)]
        if any(setting.is_off for setting in settings):
            yield statement, "0 means no timeout: a statement that holds a strong lock may hold it without end."
