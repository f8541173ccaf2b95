"""What a rule is: it yields the statements it objects to, and why."""

import re
from collections.abc import Callable, Iterator

from safestep.lint.locks import attached, targets
from safestep.lint.reading import Reading, Step
from safestep.lint.sql import commands

type Hit = tuple[Step, str]
type Rule = Callable[[Reading], Iterator[Hit]]

RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def register(check: Rule) -> Rule:
        RULES[name] = check
        return check

    return register


def names(tables: list[str]) -> str:
    return ", ".join(re.sub(r"^public\.", "", name) for name in sorted(tables))


def by_hand(reading: Reading) -> Iterator[Step]:
    """Those that no safe step wrote."""
    return (step for step in reading.steps if not step.statement.by_safe_step)


def of_kind(reading: Reading, *kinds: str) -> Iterator[Step]:
    return (step for step in reading.steps if step.statement.kind in kinds)


def altering(reading: Reading, *parts: str) -> Iterator[Step]:
    """ALTER TABLE on a table in use with one of these parts."""
    for step in of_kind(reading, "AlterTableStmt"):
        about = [*targets(step.statement, step.before), *attached(step.statement)]
        if step.hot(about) and any(what in parts for what, _, _ in commands(step.node)):
            yield step
