"""A span for each statement, when somebody traces."""

import re
from functools import lru_cache
from typing import Any

from opentelemetry.trace import Status, StatusCode
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.tracing import Tracing

_CHANGE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")
_READ = re.compile(r"\bFROM\s+(\w+)")
_SPAN = "statement_span"


def trace_statements(engine: AsyncEngine, tracing: Tracing) -> None:
    def before(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if context is not None:
            setattr(context, _SPAN, tracing.statement(summary(statement), statement))

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", _after)
    event.listen(engine.sync_engine, "handle_error", _failed)


@lru_cache(1000)
def summary(statement: str) -> str:
    """What it does to which table: `INSERT posts`. There are as many as there are forms of statements."""
    if found := _CHANGE.search(statement):
        return f"{found[1].split()[0]} {found[2]}"
    found = _READ.search(statement)
    operation = statement.split(None, 1)[0].upper() if statement.strip() else "STATEMENT"
    return f"{operation} {found[1]}" if found else operation


def _after(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if span := getattr(context, _SPAN, None):
        span.end()


def _failed(found: ExceptionContext) -> None:
    if span := getattr(found.execution_context, _SPAN, None):
        state = getattr(found.original_exception, "sqlstate", None)
        span.set_attribute("error.type", state or type(found.original_exception).__qualname__)
        span.set_status(Status(StatusCode.ERROR))
        span.end()
