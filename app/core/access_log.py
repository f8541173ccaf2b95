"""The log's line of each request, encoded once, for microseconds."""

import logging
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii

import structlog

from app.core.batched_log import EncodedRecord
from app.core.config import Settings
from app.core.logs import mask_text

LOGGER = "app.access"


class AccessLog:
    """Writes one line a request, with the same keys as any other line."""

    def __init__(self, settings: Settings) -> None:
        self._as_json = settings.logs_as_json
        self._logger = logging.getLogger(LOGGER)

    def write(
        self, *, method: str, path: str, status: int, duration_ms: float, request_id: str, trace_id: str = ""
    ) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        if not self._as_json:
            fields = {"method": method, "path": path, "status": status, "duration_ms": duration_ms}
            structlog.get_logger(LOGGER).info("request", **fields)
            return
        line = (
            f'{{"method": {encode_basestring_ascii(method)}, "path": {encode_basestring_ascii(mask_text(path))}, '
            f'"status": {status}, "duration_ms": {duration_ms}, "event": "request", "level": "info", '
            f'"logger": "{LOGGER}", "timestamp": "{_now()}", "request_id": {encode_basestring_ascii(request_id)}'
            + (f', "trace_id": "{trace_id}"}}' if trace_id else "}")
        )
        self._logger.handle(EncodedRecord(LOGGER, line))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
