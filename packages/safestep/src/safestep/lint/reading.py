"""A revision's statements in order, each with what holds at that moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from safestep.lint.bodies import opened
from safestep.lint.locks import blocked
from safestep.lint.schema import Schema
from safestep.lint.sql import Statement, full_name
from safestep.lint.timeouts import Timeout

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


def read(statements: Iterable[Statement], before: Schema) -> Reading:
    steps, new, timeout = [], frozenset[str](), Timeout()
    for written in statements:
        for statement in [written, *opened(written, before)]:
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
