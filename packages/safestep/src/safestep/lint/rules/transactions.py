"""What statements of one transaction do to each other, and what may not be in one."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from postgast.pg_query_pb2 import TransactionStmtKind
from postgast.walk import unwrap_node

from safestep.lint.batches import BatchAnalysis
from safestep.lint.executed_code import loops_over_changes
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.locks import PARTS_OF_TABLES
from safestep.lint.rules.rule import Violation, by_hand, names, of_kind, rule
from safestep.lint.sql import DATA_CHANGES, alter_commands, ends_transaction, find_nodes, relation_name
from safestep.lint.transaction_blocks import gives_up_slot, refused_in_transaction

SECOND = 2
ALTERING = ("AlterTableStmt", "RenameStmt", "CreateTrigStmt", "RuleStmt", "CreatePolicyStmt", "AlterPolicyStmt")
WAITING = {"pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_advisory_lock", "pg_advisory_xact_lock"}
# They change nothing, so that a safe step may follow them.
WITHOUT_EFFECT = ("SelectStmt", "VariableSetStmt", "VariableShowStmt", "LockStmt", "TransactionStmt", "ExplainStmt")


@rule("slow-behind-lock")
def slow_behind_lock(revision: LintedRevision) -> Iterator[Violation]:
    locked: dict[int, LintedStatement] = {}
    for statement in revision.statements:
        if statement.transaction is None:
            continue
        # One ALTER TABLE takes the strongest lock that any of its commands needs, and reads the rows under it.
        first = locked.get(statement.transaction) or (statement if statement.blocked_tables else None)
        if first and (what := _slow_part(statement)):
            tables = names(first.blocked_tables)
            yield (
                statement,
                f"{what} while the transaction keeps the lock on {tables} that it took in line {first.line}.",
            )
        if statement.blocked_tables:
            locked.setdefault(statement.transaction, statement)


@rule("batches-in-one-transaction")
def batches_in_one_transaction(revision: LintedRevision) -> Iterator[Violation]:
    batches: Counter[tuple[int | None, int]] = Counter()
    for statement in by_hand(revision):
        if loops_over_changes(statement, statement.before):
            yield statement, "Its loop changes batch after batch, and all of their rows stay locked until it is done."
        if statement.transaction is not None and _is_limited_change(statement):
            place = statement.line, statement.transaction
            batches[place] += 1
            if batches[place] == SECOND:  # once for a loop, however often it goes round
                yield (
                    statement,
                    "It runs again and again in one transaction, which keeps the rows of all batches locked.",
                )


@rule("not-in-transaction")
def not_in_transaction(revision: LintedRevision) -> Iterator[Violation]:
    without_slot = {name for statement in revision.statements if (name := gives_up_slot(statement))}
    for statement in revision.statements:
        if statement.kind == "DropSubscriptionStmt" and statement.node.subname in without_slot:
            continue
        if statement.transaction is not None and (what := refused_in_transaction(statement, statement.before)):
            yield statement, f"PostgreSQL refuses {what} in a transaction block, and Alembic has begun one."


@rule("prepared-transaction")
def prepared_transaction(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "TransactionStmt"):
        if statement.node.kind == TransactionStmtKind.TRANS_STMT_PREPARE:
            yield statement, "It keeps its locks when the session ends, and when the server starts again."


@rule("safe-step-after-change")
def safe_step_after_change(revision: LintedRevision) -> Iterator[Violation]:
    changed: dict[int, int | None] = {}
    committed: int | None = None
    for statement in revision.run:
        if statement.by_safe_step and committed is not None:
            yield statement, f"It would commit what line {committed} changed, so it refuses to run."
            committed = None
        if statement.transaction is None or statement.line is None:
            continue
        if statement.by_safe_step and ends_transaction(statement.node):
            committed = changed.get(statement.transaction)
        elif statement.kind not in WITHOUT_EFFECT and not statement.by_safe_step:
            changed.setdefault(statement.transaction, statement.line)


@rule("several-tables-locked")
def several_tables_locked(revision: LintedRevision) -> Iterator[Violation]:
    first: dict[int, str] = {}
    for statement in of_kind(revision, *ALTERING, "DropStmt"):
        if statement.kind == "DropStmt" and statement.node.remove_type not in PARTS_OF_TABLES:
            continue
        for table in {*statement.target_tables} & {*statement.blocked_tables}:
            if statement.transaction is None:
                continue
            other = first.setdefault(statement.transaction, table)
            if other != table:
                yield (
                    statement,
                    f"It waits for {names([table])} while {names([other])} is locked; a request may hold one.",
                )
                return


def _slow_part(statement: LintedStatement) -> str | None:
    """What of the statement takes as long as a table in use is large."""
    match statement.kind:
        case "AlterTableStmt":
            kinds = {what for what, _, _ in alter_commands(statement.node)}
            is_scan = "ValidateConstraint" in kinds and statement.in_use(statement.target_tables)
            return "Every row is read to validate the constraint" if is_scan else None
        case "CreateTableAsStmt" if not statement.node.into.skip_data:
            return _reading(statement, unwrap_node(statement.node.query), "A table is filled")
        case "SelectStmt":
            waits = {call.funcname[-1].string.sval for call in find_nodes(statement.node, "FuncCall")} & WAITING
            return f"{min(waits)}() waits" if waits else _reading(statement, statement.node, "Rows are read")
        case "VacuumStmt" if not statement.node.is_vacuumcmd:
            return "Rows are sampled" if not statement.node.rels or statement.in_use(statement.target_tables) else None
        case "CopyStmt" if not statement.node.HasField("query"):
            copied = statement.in_use([relation_name(statement.node.relation)])
            return f"{names(copied)} is copied" if copied else None
    return None


def _reading(statement: LintedStatement, query: Any, what: str) -> str | None:
    read = statement.in_use(relation_name(relation) for relation in find_nodes(query, "RangeVar"))
    analysis = BatchAnalysis(statement.node, statement.before)
    is_select = type(query).__name__ == "SelectStmt"
    return f"{what} from {names(read)}" if read and not (is_select and analysis.reads_few_rows(query)) else None


def _is_limited_change(statement: LintedStatement) -> bool:
    """Whether it changes a batch of a table in use whose size a LIMIT bounds."""
    if statement.kind not in DATA_CHANGES or not statement.in_use([relation_name(statement.node.relation)]):
        return False
    return any(query.HasField("limit_count") for query in find_nodes(statement.node, "SelectStmt"))
