"""The handler that writes frequent lines together."""

import asyncio
import logging
import sys
from contextlib import suppress
from time import monotonic, time
from typing import IO, Any

LONGEST_WAIT = 0.1  # seconds
LARGEST_BATCH = 200  # lines


class EncodedRecord(logging.LogRecord):
    """A record of level INFO that may wait for others. Its message is the whole line, encoded and masked already.

    It doesn't say where it was made, nor in which thread: to find that out would cost more than to write the line.
    """

    def __init__(self, logger: str, line: str) -> None:
        self.__dict__.update(_BLANK, name=logger, msg=line, created=time())


_BLANK = logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO"}).__dict__


class BatchingHandler(logging.StreamHandler[IO[str]]):
    """Keeps encoded records for a moment, to write many at once.

    They are written before any other record, after `LONGEST_WAIT`, and at the process's end: lines stay in order, and
    only a process that is killed loses any.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._waiting: list[EncodedRecord] = []
        self._since = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if isinstance(record, EncodedRecord):
                self._keep(record)
            else:
                self._write_waiting()
                super().emit(record)
        except (OSError, ValueError):  # its reader has gone, or the stream is closed
            self.handleError(record)

    def flush(self) -> None:
        self.acquire()
        try:
            self._write_waiting()
        finally:
            self.release()
        super().flush()

    def setStream(self, stream: Any) -> Any:  # noqa: N802 - the standard library's name
        self._write_waiting()
        return super().setStream(stream)

    def _keep(self, record: EncodedRecord) -> None:
        if not self._waiting:
            self._begin_batch()
        self._waiting.append(record)
        if len(self._waiting) >= LARGEST_BATCH or monotonic() - self._since > LONGEST_WAIT:
            self._write_waiting()

    def _begin_batch(self) -> None:
        """Without an event loop nothing would write the batch later: it is over at once."""
        try:
            asyncio.get_running_loop().call_later(LONGEST_WAIT, self._end_batch)
            self._since = monotonic()
        except RuntimeError:
            self._since = 0.0

    def _end_batch(self) -> None:
        with suppress(OSError, ValueError):  # the next record says so
            self.flush()

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.stream.write("".join(f"{record.msg}\n" for record in waiting))
