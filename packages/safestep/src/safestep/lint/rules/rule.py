"""What a rule is: it goes through a revision and yields the statements that violate it, each with a message."""

import re
from collections.abc import Callable, Iterator

from safestep.lint.linted_revision import LintedRevision, LintedStatement
from safestep.lint.locks import attached_partitions
from safestep.lint.sql import alter_commands

type Violation = tuple[LintedStatement, str]
type Rule = Callable[[LintedRevision], Iterator[Violation]]

RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Registers the decorated function as the rule of this name."""

    def register(check: Rule) -> Rule:
        RULES[name] = check
        return check

    return register


def names(tables: list[str]) -> str:
    """The tables for a message, without the schema `public`."""
    return ", ".join(re.sub(r"^public\.", "", name) for name in sorted(tables))


def by_hand(revision: LintedRevision) -> Iterator[LintedStatement]:
    """The statements that no safe step wrote."""
    return (statement for statement in revision.statements if not statement.by_safe_step)


def of_kind(revision: LintedRevision, *kinds: str) -> Iterator[LintedStatement]:
    """The statements whose nodes have one of these names in PostgreSQL's source."""
    return (statement for statement in revision.statements if statement.kind in kinds)


def altering(revision: LintedRevision, *subtypes: str) -> Iterator[LintedStatement]:
    """Each ALTER TABLE of a table in use that has a command of one of these subtypes."""
    for statement in of_kind(revision, "AlterTableStmt"):
        about = [*statement.target_tables, *attached_partitions(statement)]
        if statement.in_use(about) and any(subtype in subtypes for subtype, _, _ in alter_commands(statement.node)):
            yield statement
