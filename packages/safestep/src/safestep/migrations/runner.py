"""Runs migrations so that they can't take the site down; `safestep.environment` calls it, whoever called Alembic.

One runner at a time holds the database's migration lock. Every statement has a lock timeout: a migration that
waits for a lock stalls everybody who comes after it in the queue. When the timeout strikes, the revision's transaction
is rolled back, traffic flows, and the revision is tried again, a bounded number of times. A revision is applied
when its transaction has committed, together with its line in `alembic_version`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from safestep.connections import engine, sqlstate
from safestep.migrations.lock import RUNNER, STAY_CONNECTED, Announce, Blocker, BlockerMonitor, migration_lock
from safestep.migrations.plan import MigrationPlan, Phase, make_migration_plan
from safestep.migrations.retry import RetryPolicy
from safestep.project import Project
from safestep.steps.backfill import forget_positions
from safestep.steps.execution import MIGRATION_RUN, MigrationRun, timeouts

type FindSteps = Callable[[tuple[str, ...], MigrationContext], list[RevisionStep]]
"""Alembic's own function that finds the revisions between the database's and the wanted one."""

# Errors that come from waiting for others, and that another attempt may not meet.
BLOCKED = {"55P03": "a lock wasn't free in time", "40P01": "a deadlock"}


@dataclass(frozen=True)
class RunOptions:
    """How a run is wanted. `confirm` answers a question about data that would be lost; production asks it."""

    until: Phase = Phase.CONTRACT
    confirm: Callable[[str], bool] = lambda _question: True
    announce: Announce = lambda _line: None


def options_of_alembic() -> RunOptions:
    """For the plain `alembic` command: `-x phase=expand`, `-x yes`."""
    given = context.get_x_argument(as_dictionary=True)
    phase = given.get("phase", Phase.CONTRACT)
    if phase not in list(Phase):
        raise CommandError("-x phase=expand runs the revisions before the first that contracts")
    return RunOptions(Phase(phase), lambda _question: "yes" in given, context.config.print_stdout)


def runs_revisions() -> bool:
    """Whether the Alembic command under way runs revisions; `current`, `check`, `revision` and `stamp` don't."""
    options = _command_options()
    return "destination_rev" in options and "purge" not in options


async def migrate(project: Project, url: URL, options: RunOptions, environment: Mapping[str, Any]) -> None:
    """Runs what the Alembic command under way asks for; `environment` goes to `context.configure()`.

    Raises CommandError with one line when it can't be done: what was applied until then stays.
    """
    limits = project.limits()
    arguments = project.connect_args(url, {"application_name": RUNNER, **STAY_CONNECTED, **timeouts(limits)})
    async with (
        migration_lock(project, url, options.announce) as monitor,
        engine(url, arguments, hide_parameters=True) as opened,
        opened.connect() as connection,
    ):
        runner = Runner(project, connection, monitor, options, environment)
        async with connection.begin():
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        interval = min(0.25, limits.lock_timeout / 4)
        await _while_watched(runner.run(), monitor.watch(pid, interval))


def write_sql(project: Project, options: RunOptions, environment: Mapping[str, Any]) -> None:
    """Prints what the Alembic command under way would run (`--sql`), with the timeouts it would have, for psql.

    Its first line stops psql at the first error. Without it the revision would be recorded after a step outside of
    a transaction that failed.
    """
    limits = project.limits()
    find_steps: FindSteps = _command_options()["fn"]

    def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterator[RevisionStep]:
        plan = make_migration_plan(find_steps(heads, migration), options.until)
        yield from (revision.step for revision in plan.pending)
        if plan.stop_reason:
            context.static_output(f"-- {plan.stop_reason}")
        elif not plan.pending:
            context.static_output("-- nothing to do")

    added: dict[str, Any] = {MIGRATION_RUN: MigrationRun(limits), "on_version_apply": forget_positions}
    context.configure(fn=steps, literal_binds=True, **environment, **added)
    if context.config.output_buffer is None:  # psql's own command; who takes the output elsewhere reads SQL
        context.static_output("\\set ON_ERROR_STOP on\n")
    for name, value in timeouts(limits).items():
        context.static_output(f"SET {name} = '{value}ms';\n")
    with context.begin_transaction():
        context.run_migrations()


class Runner:
    """One run, on one connection: it never reconnects, so whoever gets the lock after it can end it for good."""

    def __init__(
        self,
        project: Project,
        connection: AsyncConnection,
        monitor: BlockerMonitor,
        options: RunOptions,
        environment: Mapping[str, Any],
    ) -> None:
        self._project = project
        self._connection = connection
        self._monitor = monitor
        self._options = options
        self._announce = options.announce
        self._run = MigrationRun(project.limits(), options.announce)
        self._retry = RetryPolicy(self._run.limits, options.announce, self._are_open)
        self._environment = {**environment, MIGRATION_RUN: self._run, "on_version_apply": forget_positions}
        self._find_steps: FindSteps = _command_options()["fn"]
        self._plan = MigrationPlan()

    async def run(self) -> None:
        await self._until_unblocked(self._make_plan)
        self._confirm_data_loss()
        total = len(self._plan.pending)
        await self._until_unblocked(self._apply)
        if total > 1:
            self._announce(f"{total} revisions done")
        elif not total:
            self._announce("nothing to do")
        if self._plan.stop_reason:
            self._announce(self._plan.stop_reason)

    def _make_plan(self, connection: Connection) -> None:
        """Also creates `alembic_version`, so that the first revision's transaction begins without a change."""

        def collect(heads: tuple[str, ...], migration: MigrationContext) -> list[RevisionStep]:
            self._plan = make_migration_plan(self._find_steps(heads, migration), self._options.until)
            return []

        with connection.begin():
            context.configure(connection=connection, fn=collect, **self._environment)
            context.run_migrations()

    def _confirm_data_loss(self) -> None:
        if not (self._plan.destructive and self._project.confirm_data_loss()):
            return
        what = ", ".join(map(str, self._plan.destructive))
        if not self._options.confirm(f"In production this takes away what may be in use: {what}"):
            raise CommandError(f"in production this needs --yes (alembic -x yes), because data may be lost: {what}")

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
            revision, began = self._plan.pending[0], monotonic()
            for name in timeouts(self._run.limits):
                migration.execute(f"RESET {name}")  # one revision's SET isn't the next one's
            yield revision.step
            self._plan.pending.popleft()
            self._run.completed += 1
            self._announce(f"{revision} - {monotonic() - began:.2f} s")

    async def _until_unblocked(self, work: Callable[[Connection], None]) -> None:
        """Attempts count for one revision, and in a backfill for one batch: any of its many may be blocked."""
        failed, completed = 0, self._run.completed
        while True:
            self._monitor.blockers = []
            try:
                return await self._connection.run_sync(work)
            except DBAPIError as error:
                if sqlstate(error) not in BLOCKED:
                    raise
                failed, completed = (failed if self._run.completed == completed else 0), self._run.completed
                what = str(self._plan.pending[0]) if self._plan.pending else "alembic_version"
                reason = BLOCKED[sqlstate(error) or ""]
                failed = await self._retry.wait(what, failed + 1, reason, self._monitor.blockers)

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
    if failure:  # raised outside of the `except`, which would replace the error's own context
        raise failure


def _command_options() -> dict[str, Any]:
    context.configure(dialect_name="postgresql")
    return context.get_context().opts
