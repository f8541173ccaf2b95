"""Whether this process should get requests."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import structlog
from anyio import to_thread

from app.core import stopping
from app.core.errors import DomainError
from app.repos.server_state import ServerStateRepo
from app.schemas.health import Reason

REMEMBERED = 1.0  # seconds
TIME_LIMIT = 2.0  # seconds

type IsBehind = Callable[[str | None], bool]
"""Whether this code can't run on a database at the revision."""

log = structlog.get_logger()


class Readiness:
    """Asks the database at most once in REMEMBERED seconds, however many ask, and never for longer than TIME_LIMIT."""

    def __init__(self, server: ServerStateRepo, is_behind: IsBehind) -> None:
        self._server = server
        self._is_behind = is_behind
        self._compatible: set[str | None] = set()
        """Revisions that were found to be new enough."""
        self._check: asyncio.Task[Sequence[Reason]] | None = None
        self._ends = 0.0

    async def reasons(self) -> Sequence[Reason]:
        """Why it should get none; empty when it is ready."""
        if stopping.has_begun():
            return ["stopping"]
        if self._check is None or (self._check.done() and monotonic() >= self._ends):
            self._check = asyncio.create_task(self._look())
        return await asyncio.shield(self._check)  # others wait for it too

    async def audit_rows(self) -> int | None:
        """How many rows the database has written into the audit log; None when it doesn't say in time."""
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await self._server.audit_rows()
        except (DomainError, TimeoutError):
            return None

    async def _look(self) -> Sequence[Reason]:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await self._faults_of_database()
        except (DomainError, TimeoutError) as error:
            log.warning("database_not_ready", error_type=type(error.__cause__ or error).__qualname__)
            return ["database_unreachable"]
        finally:
            self._ends = monotonic() + REMEMBERED

    async def _faults_of_database(self) -> Sequence[Reason]:
        state = await self._server.state()
        if state.is_read_only:
            return ["database_read_only"]
        revision = await self._server.revision() if state.has_revisions else None
        if revision not in self._compatible:
            if await to_thread.run_sync(self._is_behind, revision):  # reads files
                return ["migration_missing"]
            self._compatible.add(revision)
        return []
