"""A revision's statements in order, each with what holds at that moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from postgast.pg_query_pb2 import VariableSetKind

from app.db.lint.locks import blocked
from app.db.lint.schema import Schema
from app.db.lint.sql import Statement, Unreadable, ends, find, full_name, inner

CREATING = ("CreateStmt", "CreateTableAsStmt")


@dataclass(frozen=True)
class Step:
    statement: Statement
    before: Schema
    new: frozenset[str]
    """Tables that this revision has created so far: nobody else sees them yet, so no lock on them hurts."""
    patient: bool
    """It would wait for a lock without end: no lock timeout is in effect."""

    @property
    def node(self) -> Any:
        return self.statement.node

    @property
    def blocked(self) -> list[str]:
        """The tables in use that it keeps others from."""
        return self.hot(blocked(self.statement, self.before))

    def hot(self, tables: Iterable[str]) -> list[str]:
        return [name for name in dict.fromkeys(tables) if name not in self.new]


@dataclass(frozen=True)
class Reading:
    steps: list[Step]
    """Only those that the revision wrote: Alembic's own and env.py's are its surroundings."""
    after: Schema


@dataclass
class Timeout:
    """Follows lock_timeout through SET, SET LOCAL, RESET and the ends of transactions."""

    session: bool = False
    local: bool | None = field(default=None)

    @property
    def on(self) -> bool:
        return self.session if self.local is None else self.local

    def follow(self, statement: Statement) -> None:
        if ends(statement.node):
            self.local = None
        for on, local in timeouts(statement):
            if not local:
                self.session, self.local = on, None
            elif statement.transaction is not None:
                self.local = on


def read(statements: Iterable[Statement], before: Schema) -> Reading:
    steps, new, timeout = [], frozenset[str](), Timeout()
    for statement in _opened(statements):
        if statement.kind in CREATING:
            new |= {full_name(created(statement.node))}
        if statement.line is not None:
            steps.append(Step(statement, before, new, not timeout.on))
        timeout.follow(statement)
        before = before.after(statement)
    return Reading(steps, before)


def created(node: Any) -> Any:
    """The relation that a CREATE TABLE makes."""
    return node.into.rel if type(node).__name__ == "CreateTableAsStmt" else node.relation


def timeouts(statement: Statement) -> list[tuple[bool, bool]]:
    """Each change of lock_timeout: whether it is on from here, and whether that is for the transaction only."""
    node = statement.node
    if statement.kind == "VariableSetStmt" and node.name == "lock_timeout":
        is_value = node.kind == VariableSetKind.VAR_SET_VALUE
        return [(is_value and not _zero(node.args[0]), node.is_local)]
    if statement.kind == "VariableSetStmt" and node.kind == VariableSetKind.VAR_RESET_ALL:
        return [(False, False)]
    calls = [call.args for call in find(node, "FuncCall") if call.funcname[-1].string.sval == "set_config"]
    ours = [arguments for arguments in calls if arguments[0].a_const.sval.sval == "lock_timeout"]
    return [(not _zero(value), local.a_const.boolval.boolval) for _, value, local in ours]


def sets_zero(statement: Statement) -> bool:
    """Whether it turns the lock timeout off in so many words; going back to the default isn't that."""
    is_default = statement.kind == "VariableSetStmt" and statement.node.kind != VariableSetKind.VAR_SET_VALUE
    return not is_default and any(not on for on, _ in timeouts(statement))


def _zero(value: Any) -> bool:
    """Of an expression nothing is known but that it is there."""
    if not value.HasField("a_const"):
        return False
    constant = value.a_const
    text = constant.sval.sval.strip(" 'abcdefghijklmnopqrstuvwxyz") if constant.HasField("sval") else ""
    return not (constant.ival.ival or constant.fval.fval or float(text or 0))


def _opened(statements: Iterable[Statement]) -> Iterable[Statement]:
    """Also what stands inside DO blocks, as far as it can be read."""
    for statement in statements:
        yield statement
        if statement.kind == "DoStmt":
            yield from opened(statement)


def opened(statement: Statement) -> list[Statement]:
    """The statements in a DO block's body; none when it can't be read."""
    try:
        parts = inner(statement.node)
    except Unreadable:
        return []
    return [replace(statement, text=text, node=node) for text, node in parts if node is not None]
