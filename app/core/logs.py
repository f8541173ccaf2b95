"""Structured logs: one line an event, with the request's id, and nothing secret or personal in it."""

import logging
import logging.config
import re
import sys
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.core.batched_log import BatchingHandler
from app.core.config import Settings
from app.core.context import request_id
from app.core.product import API_KEY_PREFIX
from app.core.tracing import trace_id

MASK = "***"
_SENSITIVE_KEY = re.compile(
    r"pass(word|wd)?|secret|token|authorization|cookie|api[_-]?key|dsn|database_url|e[_-]?mail", re.IGNORECASE
)
# Each pattern takes linear time: a match can begin only where a run of its characters begins (the lookbehind), and what
# was matched is never given back (`++`). Otherwise a long run without a match would be scanned from each of its places.
_MASKED_TEXT = (
    # An e-mail address, also percent-encoded in a URL.
    (re.compile(r"(?<![\w.!#$%&'*+^`{|}~-])(?:(?!%40)[\w.!#$%&'*+^`{|}~-])++(?:@|%40)[\w-]++(?:\.[\w-]++)++"), MASK),
    (re.compile(r"(?<![\w+.-])(\w[\w+.-]*+://)[^/\s@]++@"), rf"\1{MASK}@"),  # the credentials of a URL
    (re.compile(r"\b(Bearer|Basic)\s++\S++", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"(?<![\w-])eyJ[\w-]++\.[\w-]++\.[\w-]*+"), MASK),  # a JWT
    (re.compile(rf"\b{re.escape(API_KEY_PREFIX)}[0-9a-f]{{8}}_[\w-]+"), MASK),
)
_NOTHING_TO_MASK = re.compile(r"[a-z0-9/-]*+")  # most paths: no character of theirs begins or joins what is masked


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error's type and where in our code it arose. Its text stays out: it may quote SQL, data or a host."""
    described: dict[str, Any] = {"error_type": f"{type(error).__module__}.{type(error).__qualname__}"}
    if place := _place_in_our_code(error.__traceback__):
        described["error_at"] = place
    if sqlstate := getattr(getattr(error, "orig", None), "sqlstate", None):
        described["sqlstate"] = sqlstate
    described["exc_info"] = error
    return described


def _place_in_our_code(step: TracebackType | None) -> str | None:
    """The innermost. Not by `traceback`: it looks for every frame's source, which a storm of errors would feel."""
    place = None
    while step:
        file = step.tb_frame.f_code.co_filename
        if "/app/" in file and "/site-packages/" not in file:
            place = file, step.tb_lineno
        step = step.tb_next
    if place is None:
        return None
    module = place[0].rpartition("/app/")[2].removesuffix(".py").replace("/", ".")
    return f"app.{module}:{place[1]}"


def mask(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Masks the values of sensitive keys, and whatever looks personal or secret in other texts."""
    return {key: MASK if _SENSITIVE_KEY.search(key) else _mask_value(value) for key, value in event.items()}


def mask_text(text: str) -> str:
    """The text without whatever looks personal or secret in it."""
    if _NOTHING_TO_MASK.fullmatch(text):
        return text
    for pattern, replacement in _MASKED_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _mask_value(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return mask(None, "", value)
    if isinstance(value, list | tuple):
        return [_mask_value(item) for item in value]
    return value


def _drop_colours(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # a second copy of uvicorn's message
    return event


def _add_ids(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    if current := request_id():
        event["request_id"] = current
    if trace := trace_id():
        event["trace_id"] = trace
    return event


def _drop_traceback(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """In production an exception is its type alone: tracebacks quote paths, SQL and data.

    The same holds for what libraries write below the first line of a message.
    """
    first, *below = str(event["event"]).splitlines() or [""]
    if below:
        event["event"] = first
        if first.startswith("Traceback"):
            event["error_type"] = below[-1].partition(":")[0]
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exception()
    if isinstance(error, BaseException) and "error_type" not in event:
        event.update(describe_error(error))
        del event["exc_info"]
    return event


_OF_LINES = ("exception", "stack", "text")


def _escape_controls(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """What a client sent must not move a terminal's cursor, or look like a line of its own."""
    return {
        key: "\n".join(map(_printable, value.split("\n"))) if key in _OF_LINES else _printable(value)
        for key, value in event.items()
    }


def _printable(value: Any) -> Any:
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in value)


def _shared_chain(settings: Settings) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_ids,
        _drop_traceback if settings.is_production else structlog.processors.format_exc_info,
        mask,
    ]


def configure_logging(settings: Settings) -> None:
    """Sends structlog's and the standard library's events through one chain to standard error."""
    shared = _shared_chain(settings)
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if settings.logs_as_json
        else [_escape_controls, structlog.dev.ConsoleRenderer(colors=False)]
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), _drop_colours, *shared],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"structured": formatter},
            "handlers": {"stderr": {"()": BatchingHandler, "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "app": {"level": settings.log_level},
                "app.db.pool": {"level": "WARNING"},  # SQLAlchemy's pool logs under its subclass's name
                "uvicorn": {"level": "INFO", "handlers": [], "propagate": True},
                "uvicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
                # RequestLayer logs each request instead.
                "uvicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
