"""A revision's statements in order, each with what is known of the database before it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from postgast.pg_query_pb2 import ObjectType

from safestep.lint.executed_code import inner_statements
from safestep.lint.known_schema import KnownSchema
from safestep.lint.locks import tables_blocked_by, target_tables
from safestep.lint.sql import Statement, relation_name
from safestep.lint.timeouts import LockTimeout

TEMPORARY = "t"
TABLE_CREATIONS = ("CreateStmt", "CreateTableAsStmt")


@dataclass(frozen=True, kw_only=True)
class LintedStatement(Statement):
    before: KnownSchema
    """What is known of the database right before the statement."""
    new_tables: frozenset[str]
    """Tables that this revision has created so far: nobody else uses them yet, so no lock on them hurts."""
    has_lock_timeout: bool
    """Whether the statement's wait for a lock is bounded."""

    @property
    def target_tables(self) -> list[str]:
        """The tables that a DDL statement changes; none when it changes something else."""
        return target_tables(self, self.before)

    @property
    def blocked_tables(self) -> list[str]:
        """The tables in use whose reads or writes the statement blocks."""
        return self.in_use(tables_blocked_by(self, self.before))

    def in_use(self, tables: Iterable[str]) -> list[str]:
        """Those of the tables that others may use while the revision runs."""
        return [name for name in dict.fromkeys(tables) if name not in self.new_tables]


@dataclass(frozen=True)
class LintedRevision:
    run: list[LintedStatement]
    """What runs, in order, with the statements that Alembic and env.py add, such as BEGIN and COMMIT."""
    statements: list[LintedStatement]
    """The revision's own, and those that are executed inside of them."""
    after: KnownSchema


def follow(statements: Iterable[Statement], before: KnownSchema) -> LintedRevision:
    """Goes through the statements of a revision's run, and through those that they execute, in order."""
    run: list[LintedStatement] = []
    own: list[LintedStatement] = []
    new_tables, timeout = frozenset[str](), LockTimeout()
    temporary: set[str] = set()
    for written in statements:
        for statement in [written, *inner_statements(written, before)]:
            new_tables = _new_tables_after(statement, new_tables, before)
            temporary |= _temporary_table(statement) - before.tables.keys()
            linted = LintedStatement(
                **vars(statement), before=before, new_tables=new_tables, has_lock_timeout=timeout.is_set
            )
            run += [linted] if statement is written else []
            own += [linted] if statement.line is not None else []
            timeout.apply(statement)
            before = before.after(statement)
    return LintedRevision(run, own, before.without(temporary))


def _new_tables_after(statement: Statement, new_tables: frozenset[str], before: KnownSchema) -> frozenset[str]:
    """A new table stays new under another name.

    One that IF NOT EXISTS may have found counts as one in use, and so does one whose name is known already: if
    PostgreSQL can create it, it is temporary or stands in another schema, and the name may still mean the old one.
    """
    node = statement.node
    if statement.kind == "RenameStmt" and node.rename_type == ObjectType.OBJECT_TABLE:
        old = relation_name(node.relation)
        renamed = f"{node.relation.schemaname or 'public'}.{node.newname}"
        return new_tables | {renamed} if old in new_tables else new_tables - {renamed}
    if statement.kind not in TABLE_CREATIONS or node.if_not_exists:
        return new_tables
    return new_tables | ({relation_name(_created(statement))} - before.tables.keys())


def _temporary_table(statement: Statement) -> set[str]:
    """The temporary table that it creates: the next revision may create one of the same name."""
    if statement.kind not in TABLE_CREATIONS or _created(statement).relpersistence != TEMPORARY:
        return set()
    return {relation_name(_created(statement))}


def _created(statement: Statement) -> Any:
    return statement.node.into.rel if statement.kind == "CreateTableAsStmt" else statement.node.relation
