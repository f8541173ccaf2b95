"""What a revision keeps from its readers."""

from collections.abc import Iterator

from app.db.lint.reading import Reading
from app.db.lint.rules.rule import Hit, of_kind, rule
from app.db.lint.sql import CHANGES, Unreadable, inner


@rule("hidden-ddl")
def hidden_ddl(reading: Reading) -> Iterator[Hit]:
    for step in of_kind(reading, "DoStmt"):
        try:
            parts = inner(step.node)
        except Unreadable as error:
            yield step, f"Its body can't be read: {error}"
            continue
        for text, node in parts:
            if node is None:
                yield step, f"What {text} runs can't be seen before it runs."
            elif type(node).__name__ not in (*CHANGES, "SelectStmt"):
                yield step, f"{text} hides in a block."
