"""How indexes are built, and foreign keys that have none."""

from collections.abc import Iterator

from safestep.lint.known_schema import foreign_keys
from safestep.lint.linted_revision import LintedRevision
from safestep.lint.locks import is_concurrent
from safestep.lint.rules.rule import Violation, by_hand, names, of_kind, rule


@rule("concurrent-index-if-not-exists")
def concurrent_index_if_not_exists(revision: LintedRevision) -> Iterator[Violation]:
    cleared: set[str] = set()
    for statement in of_kind(revision, "DropStmt", "IndexStmt"):
        if not is_concurrent(statement):
            continue
        if statement.kind == "DropStmt":
            cleared |= {part.list.items[-1].string.sval for part in statement.node.objects}
        elif statement.node.if_not_exists and statement.node.idxname not in cleared:
            yield statement, f"An invalid {statement.node.idxname} that a failed attempt left behind would be kept."


@rule("concurrently-by-hand")
def concurrently_by_hand(revision: LintedRevision) -> Iterator[Violation]:
    cleared: set[str] = set()
    for statement in by_hand(revision):
        match statement.kind if is_concurrent(statement) else "":
            case "DropStmt" if statement.node.missing_ok:
                cleared |= {part.list.items[-1].string.sval for part in statement.node.objects}
            case "IndexStmt" if statement.node.idxname not in cleared:
                what = statement.node.idxname or "index"
                yield (
                    statement,
                    f'A failed build leaves an invalid {what}, and the next one ends with "already exists".',
                )
            case "ReindexStmt":
                yield statement, "A failed rebuild leaves an invalid index behind, which costs every write."
            case "RefreshMatViewStmt":
                yield (
                    statement,
                    "It waits for older transactions, in no more time than a statement that blocks traffic has.",
                )


@rule("foreign-key-without-index")
def foreign_key_without_index(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        for table, columns, referred in foreign_keys(statement):
            # Look at the end of the revision: the index may follow the key, or the table may be dropped again.
            if table in revision.after.tables and not revision.after.has_index_on(table, columns):
                what = f"{names([table])} ({', '.join(columns)})"
                yield statement, f"No index on {what}: each delete in {names([referred])} reads the whole table."


@rule("concurrent-index-on-partitioned")
def concurrent_index_on_partitioned(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "IndexStmt", "DropStmt"):
        partitioned = [table for table in statement.target_tables if statement.before.table(table).is_partitioned]
        if is_concurrent(statement) and partitioned:
            yield statement, f"PostgreSQL refuses it, because {names(partitioned)} is partitioned."
