"""The log as an operator reads it: lines of JSON, as configured."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.core.config import Settings
from app.core.logs import configure_logging
from tests.support.application import make_settings


class LogLines(io.StringIO):
    """Everything that was written so far."""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]


@contextmanager
def logged(settings: Settings) -> Iterator[LogLines]:
    """Logging as these settings configure it, written to memory instead of standard error."""
    configure_logging(settings)
    [handler] = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    lines = LogLines()
    handler.setStream(lines)
    try:
        yield lines
    finally:
        configure_logging(make_settings())
