"""A server that dies under its holders is started again."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

from pgfolder.errors import EmbeddedPostgresError
from pgfolder.server import EmbeddedPostgres

POLL = 1.0  # seconds
STEADY = 60  # seconds after a start, from which on a death is the first again
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each start

log = logging.getLogger(__name__)


@contextmanager
def kept_running(server: EmbeddedPostgres, *, pauses: Sequence[float] = PAUSES) -> Iterator[None]:
    """While the block runs, start the server again whenever it has died; every holder may, and one of them does it.

    A thread watches the server and says in the log `pgfolder.keeping` what it did. Before each start it pauses as
    `pauses` says, and when none is left it gives up; a server that has lived for a minute gets all of them again.
    """
    ended = Event()
    thread = Thread(target=_keep, args=(server, ended, pauses), name=__name__, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _keep(server: EmbeddedPostgres, ended: Event, pauses: Sequence[float]) -> None:
    attempts, started, reason = 0, 0.0, ""
    while not ended.wait(POLL):
        if not server.has_died:
            continue
        if monotonic() - started > STEADY:
            attempts = 0
        if attempts == len(pauses):
            log.error("the %s died and is not started again after %d attempts: %s", server, attempts, reason)
            return
        if ended.wait(pauses[attempts]):
            return
        attempts, started = attempts + 1, monotonic()
        reason = _start_again(server)


def _start_again(server: EmbeddedPostgres) -> str:
    """Why it is of no use, for the case that this was the last attempt."""
    try:
        if server.start_again():
            log.warning("the %s died and was started again", server)
    except EmbeddedPostgresError as error:
        return str(error)
    return "it dies again and again"
