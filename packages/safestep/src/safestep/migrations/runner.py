"""Runs migrations so that they can't take the site down; `alembic/env.py` calls it, whoever called Alembic.

One runner at a time holds the database's migration lock. Every statement has a lock timeout: a migration that
waits for a lock stalls everybody who comes after it in the queue. When it strikes, the revision's transaction is
rolled back, traffic flows, and the revision is tried again, a bounded number of times. A revision is applied
when its transaction has committed, together with its line in `alembic_version`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings
from app.core.errors import DomainError
from app.db.errors import first_line, sqlstate, translated_errors
from app.db.session import connect_args
from safestep.migrations.lock import ENDURING, RUNNER, Blocker, Report, Watch, migration_lock
from safestep.migrations.plan import Phase, Plan, make_plan
from safestep.migrations.retry import Retry
from safestep.steps.backfill import forget_positions
from safestep.steps.steps import Pace, timeouts

type Steps = Callable[[tuple[str, ...], MigrationContext], list[RevisionStep]]

# What waiting for others ends in, and what another try may overcome.
BLOCKED = {"55P03": "a lock wasn't free in time", "40P01": "a deadlock"}


@dataclass(frozen=True)
class RunOptions:
    """How a run is wanted. `confirm` answers a question about data that would be lost; production asks it."""

    until: Phase = Phase.CONTRACT
    confirm: Callable[[str], bool] = lambda _question: True
    report: Report = lambda _line: None
    settings: Settings | None = None


def options_of_alembic() -> RunOptions:
    """For the plain `alembic` command: `-x phase=expand`, `-x yes`."""
    given = context.get_x_argument(as_dictionary=True)
    phase = given.get("phase", Phase.CONTRACT)
    if phase not in list(Phase):
        raise CommandError("-x phase=expand runs the revisions before the first that contracts")
    return RunOptions(Phase(phase), lambda _question: "yes" in given, context.config.print_stdout)


@contextmanager
def one_line_errors(url: URL) -> Iterator[None]:
    """What the database does to a migration becomes a CommandError of one line; a fault of its SQL stays as it is."""
    try:
        with translated_errors():
            try:
                yield
            except PendingRollbackError as error:
                # Alembic ends an autocommit block on the connection that was lost in it: that loss is the reason.
                raise error.__context__ or error from None
    except DomainError as error:
        where = url.render_as_string(hide_password=True)
        raise CommandError(f"{error.detail} ({where}: {first_line(error.__cause__)})") from error


def migrates() -> bool:
    """Whether the Alembic command under way runs revisions; `current`, `check`, `revision` and `stamp` don't."""
    options = _command_options()
    return "destination_rev" in options and "purge" not in options


async def migrate(url: URL, settings: Settings, options: RunOptions, environment: dict[str, Any]) -> None:
    """Runs what the Alembic command under way asks for; `environment` goes to `context.configure()`.

    Raises CommandError with one line when it can't be done: what was applied until then stays.
    """
    parameters = {"application_name": RUNNER, **ENDURING, **timeouts(settings)}
    engine = create_async_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args=connect_args(url, settings, parameters)
    )
    try:
        async with migration_lock(url, settings, options.report) as watch, engine.connect() as connection:
            runner = Runner(connection, watch, settings, options, environment)
            async with connection.begin():
                pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            interval = min(0.25, settings.migration_lock_timeout / 4)
            await _while_watched(runner.run(), watch.follow(pid, interval))
    finally:
        await engine.dispose()


def write_sql(options: RunOptions, settings: Settings, environment: dict[str, Any]) -> None:
    """Prints what the Alembic command under way would run (`--sql`), with the timeouts it would have, for psql.

    Its first line stops psql at the first error. Without it the revision would be recorded after a step outside of
    a transaction that failed.
    """
    steps_of: Steps = _command_options()["fn"]

    def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterator[RevisionStep]:
        plan = make_plan(steps_of(heads, migration), options.until)
        yield from (step.move for step in plan.pending)
        for line in [plan.stop] if plan.stop else [] if plan.pending else ["nothing to do"]:
            context.static_output(f"-- {line}")

    environment = environment | {"pace": Pace(settings), "on_version_apply": forget_positions}
    context.configure(fn=steps, literal_binds=True, **environment)
    if context.config.output_buffer is None:  # psql's own command; who takes the output elsewhere reads SQL
        context.static_output("\\set ON_ERROR_STOP on\n")
    for name, value in timeouts(settings).items():
        context.static_output(f"SET {name} = '{value}ms';\n")
    with context.begin_transaction():
        context.run_migrations()


class Runner:
    """One run, on one connection: it never reconnects, so whoever gets the lock after it can end it for good."""

    def __init__(
        self,
        connection: AsyncConnection,
        watch: Watch,
        settings: Settings,
        options: RunOptions,
        environment: dict[str, Any],
    ) -> None:
        self._connection = connection
        self._watch = watch
        self._settings = settings
        self._options = options
        self._report = options.report
        self._pace = Pace(settings, options.report)
        self._retry = Retry(settings, options.report, self._are_open)
        self._environment = environment | {"pace": self._pace, "on_version_apply": forget_positions}
        self._steps_of: Steps = _command_options()["fn"]
        self._plan = Plan()

    async def run(self) -> None:
        await self._until_unblocked(self._make_plan)
        self._ask_first()
        total = len(self._plan.pending)
        await self._until_unblocked(self._apply)
        if total > 1:
            self._report(f"{total} revisions done")
        elif not total:
            self._report("nothing to do")
        if self._plan.stop:
            self._report(self._plan.stop)

    def _make_plan(self, connection: Connection) -> None:
        """Also creates `alembic_version`, so that the first revision's transaction begins without a change."""

        def collect(heads: tuple[str, ...], migration: MigrationContext) -> list[RevisionStep]:
            self._plan = make_plan(self._steps_of(heads, migration), self._options.until)
            return []

        with connection.begin():
            context.configure(connection=connection, fn=collect, **self._environment)
            context.run_migrations()

    def _ask_first(self) -> None:
        if not (self._settings.is_production and self._plan.destructive):
            return
        what = ", ".join(map(str, self._plan.destructive))
        if not self._options.confirm(f"In production this takes away what may be in use: {what}"):
            raise CommandError(f"in production this needs --yes (alembic -x yes), for data may be lost: {what}")

    def _apply(self, connection: Connection) -> None:
        try:
            context.configure(connection=connection, fn=self._steps, **self._environment)
            with context.begin_transaction():
                context.run_migrations()
        finally:
            # What failed between two revisions leaves a transaction that the next attempt mustn't join.
            if transaction := connection.get_transaction():
                transaction.close()

    def _steps(self, _heads: tuple[str, ...], migration: MigrationContext) -> Iterator[RevisionStep]:
        """Alembic asks for the next step when the last one's transaction has committed."""
        while self._plan.pending:
            step, began = self._plan.pending[0], monotonic()
            for name in timeouts(self._settings):
                migration.execute(f"RESET {name}")  # one revision's SET isn't the next one's
            yield step.move
            self._plan.pending.popleft()
            self._pace.done += 1
            self._report(f"{step} - {monotonic() - began:.2f} s")

    async def _until_unblocked(self, work: Callable[[Connection], None]) -> None:
        """Attempts count for one revision, and in a backfill for one batch: any of its many may be blocked."""
        failed, done = 0, self._pace.done
        while True:
            self._watch.blockers = []
            try:
                return await self._connection.run_sync(work)
            except DBAPIError as error:
                if sqlstate(error) not in BLOCKED:
                    raise
                failed, done = (failed if self._pace.done == done else 0), self._pace.done
                step = str(self._plan.pending[0]) if self._plan.pending else "alembic_version"
                reason = BLOCKED[sqlstate(error) or ""]
                failed = await self._retry.wait(step, failed + 1, reason, self._watch.blockers)

    async def _are_open(self, blockers: Sequence[Blocker]) -> bool:
        async with self._connection.begin():
            return any([await blocker.is_open(self._connection) for blocker in blockers])


async def _while_watched(work: Coroutine[Any, Any, None], watch: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end, or until `watch` fails, which cancels it."""
    failure = None
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch)
            await work
            watching.cancel()
    except BaseExceptionGroup as failed:
        failure = failed.exceptions[0]
    if failure:  # raised out here, for inside it would lose what it was raised in
        raise failure


def _command_options() -> dict[str, Any]:
    context.configure(dialect_name="postgresql")
    return context.get_context().opts
