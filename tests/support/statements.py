"""What a block of a test says to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

# Who acts goes with BEGIN, which all of a test's transactions on the shared connection have in common.
_FRAME = ("SAVEPOINT", "RELEASE", "ROLLBACK", "SELECT set_config('audit.")


@contextmanager
def recorded(engine: AsyncEngine) -> Iterator[list[str]]:
    """The statements that the engine's connections run in the block, without those of the test's own transaction."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(_FRAME):
            statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
