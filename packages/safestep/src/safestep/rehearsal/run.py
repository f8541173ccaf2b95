"""A rehearsal from its beginning to its report."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from safestep.migrations import commands as migrations
from safestep.rehearsal import journal
from safestep.rehearsal.credential import admit
from safestep.rehearsal.directions import crossed, tried
from safestep.rehearsal.dump import restore
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.figures import Window, by_phase, figures
from safestep.rehearsal.fill import Progress, fill
from safestep.rehearsal.findings import findings, from_sightings
from safestep.rehearsal.journal import Journal
from safestep.rehearsal.load import Load, attempt
from safestep.rehearsal.mix import Kind, Requests, Rows, chosen
from safestep.rehearsal.place import environment
from safestep.rehearsal.plan import Leg, Plan
from safestep.rehearsal.report import LegResult, Report
from safestep.rehearsal.service import Service, running
from safestep.rehearsal.watch import ROLE, watched

HAS_POSTS = text("SELECT to_regclass('posts') IS NOT NULL")
# Enough that no row is asked for too often; not all, for a million rows needn't be read for it.
POSTS = text("SELECT id::text FROM posts WHERE published_at IS NOT NULL ORDER BY id DESC LIMIT 2000")
AUTHORS = text("SELECT DISTINCT author_id::text FROM (SELECT author_id FROM posts LIMIT 20000) AS seen LIMIT 1000")
LOWEST = 19  # priority


@dataclass(frozen=True)
class Options:
    """How to rehearse; times in seconds."""

    rows: int = 1_000_000
    dump: Path | None = None
    rate: float = 200.0
    connections: int = 64
    warm_up: float = 3.0
    before: float = 10.0
    after: float = 10.0
    max_stall: float = 1.0


@dataclass
class Stage:
    """Where it happens: a database, whether it is our own server's, a folder, and the code that is deployed."""

    url: URL
    is_ours: bool
    place: Path
    deployed: Path
    say: Callable[[str], None] = lambda _line: None
    progress: Progress = lambda _table, _done, _total: None
    credential: str | None = field(default=None, repr=False)


async def rehearse_plan(plan: Plan, options: Options, stage: Stage) -> Report:
    """Raises RehearsalError when it can't be carried out; what it finds out is in the report."""
    report = Report(options.rate, options.max_stall)
    try:
        await _set(plan, options, stage, report)
        for leg in plan.legs:
            await _Run(plan, leg, options, stage, report).perform()
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise RehearsalError(f"the database doesn't do its part: {reason}") from error
    return report


async def _set(plan: Plan, options: Options, stage: Stage, report: Report) -> None:
    """The deployed schema, full of rows."""
    if options.dump:
        stage.say(f"restoring {options.dump}")
        await restore(stage.url, options.dump)
    stage.say(f"bringing the database to {plan.start}")
    code, output = await migrate(plan.root, stage.url, plan.start)
    if code:
        raise RehearsalError(f"can't reach {plan.start}: {(output.strip().splitlines() or ['no reason given'])[-1]}")
    if (found := await migrations.current(stage.url)) != plan.start:
        raise RehearsalError(f"the database stands on {found} already, past {plan.start}: name {found} with --from")
    stage.say("filling the tables")
    filled = await fill(stage.url, 0 if options.dump else options.rows, stage.progress)
    report.rows, report.notes = filled.rows, filled.notes
    if stage.is_ours:
        await journal.prepare(stage.url)


async def migrate(root: Path, url: URL, target: str) -> tuple[int, str]:
    """Runs `postern db upgrade` of this code; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli.main", "db", "upgrade", target),
        # A question about data that would be lost is for production.
        env=environment(root, DATABASE_URL=url.render_as_string(hide_password=False), ENVIRONMENT="development"),
        cwd=root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        # In a release it runs on another machine than the service: its start mustn't take the service's processor.
        os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST)
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


class _Run:
    """One leg of the plan."""

    def __init__(self, plan: Plan, leg: Leg, options: Options, stage: Stage, report: Report) -> None:
        self._plan = plan
        self._leg = leg
        self._options = options
        self._stage = stage
        self._report = report
        deployed = f"the deployed code ({plan.base[:12]})" if plan.base else "the checked-out code"
        self._is_new = leg.phase == "contract" or plan.base is None
        self._code = "the new code" if leg.phase == "contract" and plan.base else deployed

    async def perform(self) -> None:
        root = self._plan.root if self._is_new else self._stage.deployed
        async with self._running(root, self._code) as service:
            requests = await self._requests(service)
            kinds = await self._usable(requests)
            if self._leg.phase == "contract":
                self._report.directions.append(
                    await tried(f"{service.name} on the schema before {self._leg.revisions[0]}", requests, kinds)
                )
            self._report.legs.append(await self._under_load(service, requests, kinds))
            if not self._is_new:
                async with self._running(self._plan.root, "the new code") as new:
                    theirs = await self._requests(new)
                    self._report.directions += await crossed(new.name, theirs, service.name, requests, kinds)

    def _running(self, code: Path, name: str) -> AbstractAsyncContextManager[Service]:
        self._stage.say(f"starting {name}")
        return running(code, name, self._stage.url, self._stage.place, self._options.connections)

    async def _requests(self, service: Service) -> Requests:
        stage = self._stage
        stage.credential = stage.credential or await admit(stage.url)
        return Requests(service.client, service.contract, await _sampled_rows(stage.url, stage.credential))

    async def _usable(self, requests: Requests) -> list[Kind]:
        """The kinds that succeed before anything is migrated; what fails already then would prove nothing."""
        kinds = []
        for kind in requests.kinds():
            fault = (await attempt(kind, requests)).fault
            if fault is None:
                kinds.append(kind)
            elif fault.startswith("5"):
                raise RehearsalError(
                    f"{self._code} doesn't fit the revision {self._leg.start}, before anything is migrated "
                    f"({kind.name}: {fault}): name the deployed commit with --base"
                )
            else:
                self._note(f"not sent to {self._code}: {kind.name}: {fault}")
        if not kinds:
            raise RehearsalError(f"{self._code} answers no request: {'; '.join(self._report.notes)}")
        return kinds

    async def _under_load(self, service: Service, requests: Requests, kinds: list[Kind]) -> LegResult:
        options, stage = self._options, self._stage
        load = Load(requests, chosen(kinds), options.rate)
        log = Journal(stage.url) if stage.is_ours else None
        stage.say(f"{options.rate:g} requests a second to {service.name}")
        async with watched(stage.url) as seen:
            await load.start()
            try:
                await asyncio.sleep(options.warm_up)
                opened = monotonic()
                await asyncio.sleep(options.before)
                self._must_keep_up(load, opened)
                if log:
                    await log.open()
                started = monotonic()
                stage.say(f"migrating to {self._leg.target}")
                role = stage.url.set(username=ROLE) if stage.is_ours else stage.url
                code, output = await migrate(self._plan.root, role, self._leg.target)
                ended = monotonic()
                await asyncio.sleep(options.after)
            finally:
                closed = monotonic()
                await load.stop()
        statements = await log.statements(seen.offset) if log else from_sightings(seen.statements)
        window = Window(opened, started, ended, closed)
        found = findings(statements, seen, started)
        return LegResult(self._leg, self._code, window, load.samples, found, code, output)

    def _must_keep_up(self, load: Load, opened: float) -> None:
        """A machine that is too slow for the rate would show stalls that no migration made."""
        now, rate, limit = monotonic(), self._options.rate, self._options.max_stall
        calm = figures(by_phase(load.samples, Window(opened, now, now, now))["before"])
        if calm.requests == 0 or calm.p50 > limit:
            raise RehearsalError(f"{self._code} can't keep up with {rate:g} requests a second here: lower --rate")
        if calm.longest > limit:
            self._note(
                f"before the migration a request took {calm.longest:.2f} s already: see whether --rate is too high"
            )

    def _note(self, note: str) -> None:
        if note not in self._report.notes:
            self._report.notes.append(note)


async def _sampled_rows(url: URL, credential: str | None) -> Rows:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        has_posts = await connection.scalar(HAS_POSTS)
        posts = deque((await connection.scalars(POSTS)).all() if has_posts else [])
        authors = deque((await connection.scalars(AUTHORS)).all() if has_posts else [])
    await engine.dispose()
    return Rows(posts, authors, credential)
