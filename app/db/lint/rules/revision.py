"""What a revision keeps from its readers."""

from collections.abc import Iterator

from app.db.lint.bodies import bodies
from app.db.lint.reading import Reading
from app.db.lint.rules.rule import Hit, rule
from app.db.lint.sql import CHANGES, Unreadable


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
