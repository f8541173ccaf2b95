"""A rehearsal from its beginning to its report."""

import asyncio

from sqlalchemy.exc import DBAPIError

from safestep.connections import first_line
from safestep.migrations.commands import current_revision
from safestep.rehearsal import server_log
from safestep.rehearsal.dump import restore
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.fill import fill
from safestep.rehearsal.leg import LegRun
from safestep.rehearsal.plan import RehearsalPlan
from safestep.rehearsal.processes import migrate
from safestep.rehearsal.report import RehearsalReport
from safestep.rehearsal.workspace import RehearsalOptions, Workspace


async def rehearse(plan: RehearsalPlan, options: RehearsalOptions, workspace: Workspace) -> RehearsalReport:
    """Raises RehearsalError when it can't be carried out; what it finds out is in the report."""
    report = RehearsalReport(options.rate, options.max_stall)
    try:
        await _prepare_database(plan, options, workspace, report)
        credential: dict[str, str] = {}
        for leg in plan.legs:
            await LegRun(plan, leg, options, workspace, credential, report).perform()
    except (DBAPIError, OSError) as error:
        raise RehearsalError(f"the database doesn't do its part: {first_line(error)}") from error
    return report


async def _prepare_database(
    plan: RehearsalPlan, options: RehearsalOptions, workspace: Workspace, report: RehearsalReport
) -> None:
    """The deployed schema, full of rows."""
    database, profile = workspace.database, workspace.profile
    if options.dump:
        workspace.say(f"restoring {options.dump}")
        await restore(database, options.dump, workspace.project.client_program)
    workspace.say(f"bringing the database to {plan.start}")
    code, output = await migrate(profile, plan.root, database, plan.start, workspace.folder)
    if code:
        raise RehearsalError(f"can't reach {plan.start}: {(output.strip().splitlines() or ['no reason given'])[-1]}")
    found = await asyncio.to_thread(current_revision, workspace.project, database)
    if found != plan.start:
        raise RehearsalError(f"the database stands on {found} already, past {plan.start}: name {found} with --from")
    workspace.say("filling the tables")
    filled = await fill(database, 0 if options.dump else options.rows, profile.tables, workspace.progress)
    report.rows, report.notes = filled.rows, filled.notes
    if workspace.is_scratch:
        await server_log.prepare(database)
