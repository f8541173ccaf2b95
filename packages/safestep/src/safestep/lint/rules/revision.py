"""What a revision keeps from its readers, and from those who run it."""

from collections.abc import Iterator

from postgast.pg_query_pb2 import DropBehavior, ObjectType

from safestep.lint.bodies import bodies
from safestep.lint.locks import targets
from safestep.lint.reading import Reading, Step
from safestep.lint.rules.rule import Hit, names, of_kind, rule
from safestep.lint.sql import CHANGES, Unreadable, commands

HOLDING = (ObjectType.OBJECT_TYPE, ObjectType.OBJECT_DOMAIN, ObjectType.OBJECT_EXTENSION, ObjectType.OBJECT_SCHEMA)


@rule("hidden-ddl")
def hidden_ddl(reading: Reading) -> Iterator[Hit]:
    for step in reading.steps:
        for body in bodies(step.statement, step.before):
            try:
                parts = body.parts()
            except Unreadable as error:
                yield step, f"What {body.name} does can't be read: {error}"
                continue
            for text, node in parts:
                if node is None:
                    yield step, f"What {text} runs can't be seen before it runs."
                elif type(node).__name__ not in (*CHANGES, "SelectStmt", "CallStmt"):
                    yield step, f"{text} hides in {body.name}."


@rule("destructive-not-marked")
def destructive_not_marked(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "DropStmt", "AlterTableStmt"):
        if what := _destroyed(step):
            yield step, f"What was in {what} is gone, and nobody is asked before."


def _destroyed(step: Step) -> str:
    """What the statement drops with its data; other objects take columns along only with CASCADE."""
    if step.statement.kind == "AlterTableStmt":
        return ", ".join(command.name for what, command, _ in commands(step.node) if what == "DropColumn")
    if step.node.remove_type == ObjectType.OBJECT_TABLE:
        return names(step.hot(targets(step.statement, step.before)))
    cascades = step.node.behavior == DropBehavior.DROP_CASCADE
    return "the columns that depend on it" if cascades and step.node.remove_type in HOLDING else ""
