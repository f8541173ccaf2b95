"""Changes of data, and commands that rewrite a table."""

from collections.abc import Iterator
from typing import Any

from safestep.lint.batches import BatchAnalysis
from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.locks import is_concurrent, is_full_vacuum
from safestep.lint.rules.rule import Violation, by_hand, names, of_kind, rule
from safestep.lint.sql import DATA_CHANGES, find_nodes, qualified_name, relation_name, string_constants


@rule("unbatched-change")
def unbatched_change(revision: LintedRevision) -> Iterator[Violation]:
    for statement in by_hand(revision):
        analysis = BatchAnalysis(statement.node, statement.before)
        with_queries = {f"public.{part.ctename}" for part in find_nodes(statement.node, "CommonTableExpr")}
        for change in _changes(statement):
            named = {relation_name(relation) for relation in find_nodes(change, "RangeVar")}
            tables = statement.in_use(named - with_queries)
            if tables and not analysis.is_batch(change):
                what = type(change).__name__.removesuffix("Stmt").upper()
                yield statement, f"One {what} over all rows of {names(tables)} keeps them locked until it is done."
        if statement.kind == "SelectStmt" and (tables := statement.in_use(_locked_tables(statement, analysis))):
            yield statement, f"One SELECT locks all rows of {names(tables)} until the transaction ends."


@rule("data-with-schema")
def data_with_schema(revision: LintedRevision) -> Iterator[Violation]:
    for statement in revision.statements:
        written = {relation_name(change.relation) for change in _changes(statement)}
        if statement.transaction is None or not statement.in_use(written):
            continue
        together = [other for other in revision.statements if other.transaction == statement.transaction]
        if locking := [other for other in together if other.blocked_tables]:
            line, tables = locking[0].line, names(locking[0].blocked_tables)
            yield statement, f"It runs in the transaction that locks {tables} in line {line}, and prolongs that lock."


@rule("enum-value-used-early")
def enum_value_used_early(revision: LintedRevision) -> Iterator[Violation]:
    added: dict[str, int | None] = {}
    new_types = {qualified_name(statement.node.type_name) for statement in of_kind(revision, "CreateEnumStmt")}
    for statement in revision.statements:
        if statement.kind == "AlterEnumStmt" and not statement.node.old_val:
            if qualified_name(statement.node.type_name) not in new_types:
                added[statement.node.new_val] = statement.transaction
        elif statement.transaction is not None:
            for value in string_constants(statement.node) & added.keys():
                if added[value] == statement.transaction:
                    yield statement, f"'{value}' can't be used before the transaction that adds it is committed."


@rule("truncate")
def truncate(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "TruncateStmt"):
        if tables := statement.in_use(statement.target_tables):
            yield statement, f"Every row of {names(tables)} is gone, also for transactions with an older snapshot."


@rule("refresh-blocks-reads")
def refresh_blocks_reads(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "RefreshMatViewStmt"):
        name = relation_name(statement.node.relation)
        if not is_concurrent(statement) and not statement.node.skip_data and statement.in_use([name]):
            yield statement, f"Nobody can read {names([name])} until its query is done."


@rule("vacuum-full")
def vacuum_full(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "VacuumStmt"):
        if is_full_vacuum(statement):
            yield statement, "VACUUM FULL rewrites the whole table; nobody can read it meanwhile."


@rule("cluster")
def cluster(revision: LintedRevision) -> Iterator[Violation]:
    for statement in of_kind(revision, "ClusterStmt"):
        yield statement, "CLUSTER rewrites the whole table; nobody can read it meanwhile."


def _changes(statement: LintedStatement) -> Iterator[Any]:
    """The changes of data in a statement and its WITH. Creating a function doesn't run the changes in its body."""
    executed = statement.kind in (*DATA_CHANGES, "SelectStmt", "CreateTableAsStmt")
    return find_nodes(statement.node, *DATA_CHANGES) if executed else iter(())


def _locked_tables(statement: LintedStatement, analysis: BatchAnalysis) -> list[str]:
    """The tables of which a SELECT … FOR UPDATE, or FOR SHARE, locks rows without a bound."""
    queries = [query for query in find_nodes(statement.node, "SelectStmt") if query.locking_clause]
    unbounded = [query for query in queries if not analysis.reads_few_rows(query)]
    return [
        relation_name(table)
        for query in unbounded
        for part in query.from_clause
        for table in find_nodes(part, "RangeVar")
    ]
