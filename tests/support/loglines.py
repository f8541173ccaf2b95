"""The log as an operator reads it: lines of JSON, as configured."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.core.batched_log import BatchingHandler
from app.core.config import Settings
from app.core.logs import configure_logging
from tests.support.application import make_settings


class LogLines(io.StringIO):
    """Everything that was logged so far."""

    def getvalue(self) -> str:
        for handler in logging.getLogger().handlers:
            handler.flush()
        return super().getvalue()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


@contextmanager
def logged(settings: Settings) -> Iterator[LogLines]:
    """Logging as these settings configure it, written to memory instead of standard error."""
    configure_logging(settings)
    try:
        with captured() as lines:
            yield lines
    finally:
        configure_logging(make_settings())


@contextmanager
def captured() -> Iterator[LogLines]:
    """The same, in the format that was configured last."""
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each, BatchingHandler)]
    lines = LogLines()
    stream = handler.setStream(lines)
    try:
        yield lines
    finally:
        handler.setStream(stream)
