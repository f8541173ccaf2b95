"""The command `import`: posts from a folder of Markdown or a JSON Lines file."""

import asyncio
from itertools import batched
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.core.config import Settings, load_settings
from app.core.logs import configure_logging
from app.db.provision import provisioned_url
from app.db.session import Database
from app.importing import sources
from app.services.imports import ImportReport
from app.wiring import make_import_service

BATCH = 100


def import_posts(
    path: Annotated[
        Path, typer.Argument(help="A folder of Markdown, one Markdown file, or a .jsonl file.", exists=True)
    ],
    author: Annotated[str | None, typer.Option(help="The author of posts that name none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
) -> None:
    """Load posts with front matter (TOML between +++, YAML between ---) or JSON Lines.

    A post is recognised by its path and an author by e-mail address or name, so running it again changes
    only what changed. What is marked `draft: true` or `published: false`, or lies below `_drafts/`, stays a draft;
    posts dated in the future are published at once. A file with a fault is reported, the rest is loaded, and the
    exit code is 1.
    """
    settings = load_settings()
    configure_logging(settings)
    report = asyncio.run(_load(settings, path, author, dry_run=dry_run))
    _print(report, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(1)


async def _load(settings: Settings, path: Path, author: str | None, *, dry_run: bool) -> ImportReport:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with provisioned_url(settings) as url:
        database = Database(url, settings)
        service = make_import_service(database.transaction, dry_run=dry_run)
        try:
            with Progress(*columns, console=Console(stderr=True)) as progress:
                task = progress.add_task("import", total=sources.count(path))
                for batch in batched(sources.read(path, default_author=author), BATCH):
                    await service.load(batch)
                    progress.advance(task, len(batch))
        finally:
            await database.close()
    return service.report


def _print(report: ImportReport, *, dry_run: bool) -> None:
    for source, reason in report.skipped:
        typer.echo(f"skipped {source}: {reason}")
    if report.undated:
        typer.echo(f"{report.undated} without a date: published at the time of their first import")
    if report.future:
        typer.echo(f"{report.future} dated in the future: published at once, under that date")
    if report.ignored_fields:
        fields = ", ".join(f"{name} ({files})" for name, files in report.ignored_fields.most_common())
        typer.echo(f"front matter without a place here, not imported: {fields}")
    counts = ", ".join(
        f"{report.actions[action]} {action}" for action in ("created", "updated", "unchanged", "skipped")
    )
    typer.echo(f"{'dry run, nothing changed: ' if dry_run else ''}{counts}")
