"""The commands that read revisions before they run: lint, baseline."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from safestep.cli.arguments import project_of
from safestep.project import Project

if TYPE_CHECKING:
    from safestep.lint.baseline_update import BaselineUpdate

Revisions = Annotated[list[str] | None, typer.Argument(help="Revisions by id; default: all.", metavar="REV")]
Reason = Annotated[str | None, typer.Option(help="Why the findings may stay; asked for when it isn't given.")]


def add_commands(app: typer.Typer, _project: Project) -> None:
    app.command()(lint)
    app.command()(baseline)


def lint(
    context: typer.Context,
    revisions: Revisions = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings, exceptions and known findings as JSON.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Only list the rules, as a Markdown table.")] = False,
) -> None:
    """Read revisions for what would stall or break the running service; exit with 1 when there is something."""
    from safestep.lint import UnknownRevision
    from safestep.lint import lint as run
    from safestep.lint.recipes import markdown_table

    if rules:
        typer.echo(markdown_table())
        return
    try:
        report = run(project_of(context), revisions or [])
    except UnknownRevision as error:
        raise typer.BadParameter(str(error), param_hint="REV") from error
    typer.echo(report.for_machines() if as_json else report.for_people())
    if report.findings:
        raise typer.Exit(1)


def baseline(
    context: typer.Context,
    revisions: Revisions = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """List the findings in sealed revisions as known, with a reason, and drop the entries that list nothing any more.

    Exits with 1 when there are findings in revisions that aren't sealed: these can still be changed.
    """
    from safestep.lint.baseline_update import what_to_do_instead

    update = _update(project_of(context), revisions or [])
    for entry in update.dropped:
        typer.echo(f"- {entry.revision}, line {entry.line}: {entry.rule}")
    for finding in update.added:
        typer.echo(f"+ {finding.file}:{finding.line}: {finding.rule}\n    {finding.sql or finding.message}")
    if not dry_run and (update.added or update.dropped):
        update.write(_reason(reason) if update.added else "")
    counts = f"{len(update.added)} added, {len(update.dropped)} dropped, {len(update.kept)} kept"
    typer.echo(f"{counts}{'; nothing is written' if dry_run else ''}")
    if update.not_sealed:
        places = [f"{finding.file}:{finding.line}: {finding.rule}" for finding in update.not_sealed]
        typer.echo("\n".join(["not listed, in revisions that aren't sealed:", *places, what_to_do_instead()]), err=True)
        raise typer.Exit(1)


def _update(project: Project, names: Sequence[str]) -> "BaselineUpdate":
    from safestep.lint import UnknownRevision
    from safestep.lint import lint as run
    from safestep.lint.baseline import Baseline
    from safestep.lint.baseline_update import NotSealed, make_update
    from safestep.lint.scripts import revision_ids
    from safestep.migrations.commands import script_directory

    report = run(project)
    if report.unreadable:
        typer.echo(report.for_people(), err=True)
        raise typer.Exit(1)
    try:
        chosen = revision_ids(script_directory(project), names) if names else None
        return make_update(report, Baseline.read(project), chosen)
    except (UnknownRevision, NotSealed) as error:
        raise typer.BadParameter(str(error), param_hint="REV") from error


def _reason(given: str | None) -> str:
    reason = typer.prompt("Why may these stay? (--reason)") if given is None else given
    if not reason.strip():
        raise typer.BadParameter("say why the findings may stay", param_hint="--reason")
    return " ".join(reason.split())
