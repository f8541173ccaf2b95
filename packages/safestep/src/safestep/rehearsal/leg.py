"""One leg of a rehearsal: a version of the service under traffic, and in the middle of it the migration."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from safestep.connections import engine
from safestep.migrations.plan import Phase
from safestep.rehearsal.activity import ROLE, sampled_activity
from safestep.rehearsal.compatibility import answered, check_alone, check_both
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.latency import Timeline, by_period, summary
from safestep.rehearsal.load import LoadGenerator
from safestep.rehearsal.plan import Leg, RehearsalPlan
from safestep.rehearsal.preparation import workload_of
from safestep.rehearsal.processes import migrate
from safestep.rehearsal.report import LegReport, RehearsalReport
from safestep.rehearsal.samples import Samples
from safestep.rehearsal.server_log import ServerLog
from safestep.rehearsal.service import Service, running
from safestep.rehearsal.statements import from_activity, statement_reports
from safestep.rehearsal.table_traffic import Counters, read_counters, untouched
from safestep.rehearsal.workload import Request, Workload, drawn
from safestep.rehearsal.workspace import RehearsalOptions, Workspace


class LegRun:
    """Carries out one leg and adds what it finds to the report. `credential` is filled when one can be made."""

    def __init__(
        self,
        plan: RehearsalPlan,
        leg: Leg,
        options: RehearsalOptions,
        workspace: Workspace,
        credential: dict[str, str],
        report: RehearsalReport,
    ) -> None:
        self._plan = plan
        self._leg = leg
        self._options = options
        self._workspace = workspace
        self._credential = credential
        self._report = report
        deployed = f"the deployed code ({plan.base[:12]})" if plan.base else "the checked-out code"
        self._is_new = leg.phase is Phase.CONTRACT or plan.base is None
        self._code = "the new code" if leg.phase is Phase.CONTRACT and plan.base else deployed

    async def perform(self) -> None:
        """Raises RehearsalError when the code doesn't fit the schema that it is said to run on."""
        async with (
            engine(self._workspace.database, isolation_level="AUTOCOMMIT") as opened,
            opened.connect() as connection,
        ):
            await self._perform(connection)

    async def _perform(self, connection: AsyncConnection) -> None:
        root = self._plan.root if self._is_new else self._workspace.deployed
        compatibility = self._report.compatibility
        async with self._running(root, self._code) as service:
            idle = await read_counters(connection)
            workload = await self._workload(service, connection)
            requests = await self._usable(workload)
            if self._leg.phase is Phase.CONTRACT:
                what = f"{service.name} on the schema before {self._leg.revisions[0]}"
                compatibility.append(await check_alone(what, workload, requests))
            self._report.legs.append(await self._under_load(workload, requests, connection, idle))
            if not self._is_new:
                async with self._running(self._plan.root, "the new code") as new:
                    theirs = await self._workload(new, connection)
                    compatibility += await check_both(new.name, theirs, service.name, workload, requests)

    def _running(self, code: Path, name: str) -> AbstractAsyncContextManager[Service]:
        workspace = self._workspace
        workspace.say(f"starting {name}")
        return running(workspace.profile, code, name, workspace.database, workspace.folder, self._options.connections)

    async def _workload(self, service: Service, connection: AsyncConnection) -> Workload:
        profile = self._workspace.profile
        if not self._credential:  # the deployed schema may be too old for one
            self._credential.update(await profile.credential(self._workspace.database))
        samples = await Samples.of(connection, profile.samples)
        workload = await workload_of(service.client, service.document, profile, samples, self._credential)
        for note in workload.notes:
            self._report.note(note)
        return workload

    async def _usable(self, workload: Workload) -> list[Request]:
        """The requests that succeed before anything is migrated; what fails already then would prove nothing."""
        found = await answered(workload)
        for request, fault in found.failed:
            if request.template.is_generated and request.template.method != "GET":
                found.refused.append((request, fault))  # what was made up may be too much for the service
            else:
                raise RehearsalError(
                    f"{self._code} doesn't fit the revision {self._leg.start}, before anything is migrated "
                    f"({request.name}: {fault}): name the deployed commit with --base"
                )
        for request, fault in found.refused:
            self._report.note(f"not sent to {self._code}: {request.name}: {fault}")
        if not found.succeeded:
            raise RehearsalError(f"{self._code} answers no request: {'; '.join(self._report.notes)}")
        return found.succeeded

    async def _under_load(
        self, workload: Workload, requests: list[Request], connection: AsyncConnection, idle: Counters
    ) -> LegReport:
        options, workspace = self._options, self._workspace
        load = LoadGenerator(workload, drawn(requests), options.rate)
        log = ServerLog(workspace.database) if workspace.is_scratch else None
        workspace.say(f"{options.rate:g} requests a second to {self._code}")
        async with sampled_activity(workspace.database) as activity:
            await load.start()
            try:
                await asyncio.sleep(options.warm_up)
                opened = monotonic()
                await asyncio.sleep(options.before)
                self._must_keep_up(load, opened)
                without_traffic = untouched(idle, await read_counters(connection))
                if log:
                    await log.open()
                started = monotonic()
                exit_code, output = await self._migrate()
                ended = monotonic()
                await asyncio.sleep(options.after)
            finally:
                closed = monotonic()
                await load.stop()
        statements = await log.statements(activity.offset) if log else from_activity(activity.statements)
        timeline = Timeline(opened, started, ended, closed)
        reports = statement_reports(statements, activity, started)
        return LegReport(self._leg, self._code, timeline, load.results, reports, exit_code, output, without_traffic)

    async def _migrate(self) -> tuple[int, str]:
        workspace = self._workspace
        workspace.say(f"migrating to {self._leg.target}")
        database = workspace.database.set(username=ROLE) if workspace.is_scratch else workspace.database
        return await migrate(workspace.profile, self._plan.root, database, self._leg.target, workspace.folder)

    def _must_keep_up(self, load: LoadGenerator, opened: float) -> None:
        """A machine that is too slow for the rate would show stalls that no migration made."""
        now, rate, limit = monotonic(), self._options.rate, self._options.max_stall
        calm = summary(by_period(load.results, Timeline(opened, now, now, now))["before"])
        if calm.requests == 0 or calm.p50 > limit:
            raise RehearsalError(f"{self._code} can't keep up with {rate:g} requests a second here: lower --rate")
        if calm.longest > limit:
            self._report.note(
                f"before the migration a request took {calm.longest:.2f} s already: see whether --rate is too high"
            )
