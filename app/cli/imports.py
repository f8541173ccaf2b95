"""The command `import`: posts from a folder of Markdown or a JSON Lines file."""

import asyncio
from collections.abc import Iterator
from itertools import batched
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.core.config import Settings, load_settings
from app.core.logs import configure_logging
from app.core.product import COMMAND
from app.db.provision import provisioned_url
from app.db.session import Database
from app.importing.files import Found
from app.importing.front_matter import Unreadable
from app.importing.sources import Collection, collect
from app.services.imports import ImportReport
from app.wiring import make_import_service

BATCH = 100
NAMED = 3


def import_posts(
    path: Annotated[Path, typer.Argument(help="A site or a folder of posts, one post, or a .jsonl file.", exists=True)],
    author: Annotated[str | None, typer.Option(help="The author of posts that name none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
) -> None:
    """Load posts: .md, .markdown and .html files with front matter (TOML, YAML), or JSON Lines.

    A post is recognised by its path, so running it again changes only what changed. The path is the one that
    Jekyll, Hugo, Zola or Eleventy gives it, by the configuration of the site around the file, whichever of
    its folders is named. Without a site it is the file's place below the named folder. HTML stays HTML.

    An author is the account with that e-mail address, if it is confirmed, else a name. Posts that are
    marked `draft: true` or `published: false`, or lie below `_drafts/`, stay drafts; posts dated in the
    future are published at once. Links aren't followed.

    What is no post is named and counted. What can't be read or has a fault is reported, the rest is loaded,
    and the exit code is 1; so it is when there is nothing to import.
    """
    settings = load_settings()
    configure_logging(settings)
    collection = _collect(path)
    report = asyncio.run(_load(settings, collection, author, dry_run=dry_run))
    for line in _aside(collection.found):
        typer.echo(line)
    _print(report, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(1)


def _collect(path: Path) -> Collection:
    try:
        collection = collect(path)
    except Unreadable as fault:
        _refuse(path, str(fault))
    if not collection.size:
        _refuse(path, "; ".join(_aside(collection.found)) or "it is empty")
    return collection


def _refuse(path: Path, reason: str) -> NoReturn:
    typer.echo(f"{COMMAND}: nothing to import in {path}: {reason}", err=True)
    raise typer.Exit(1)


async def _load(settings: Settings, collection: Collection, author: str | None, *, dry_run: bool) -> ImportReport:
    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with provisioned_url(settings) as url:
        database = Database(url, settings)
        service = make_import_service(database.transaction, dry_run=dry_run)
        try:
            with Progress(*columns, console=Console(stderr=True)) as progress:
                task = progress.add_task("import", total=collection.size)
                for batch in batched(collection.read(default_author=author), BATCH):
                    await service.load(batch)
                    progress.advance(task, len(batch))
        finally:
            await database.close()
    return service.report


def _aside(found: Found) -> Iterator[str]:
    """What is no post: of each kind how many, and the first of them."""
    for kind, names in sorted(found.aside.items()):
        more = ", \u2026" if len(names) > NAMED else ""
        yield f"left aside, {kind} ({len(names)}): {', '.join(names[:NAMED])}{more}"


def _print(report: ImportReport, *, dry_run: bool) -> None:
    for source, reason in report.skipped:
        typer.echo(f"skipped {source}: {reason}")
    if report.undated:
        typer.echo(f"{report.undated} without a date: published at the time of their first import")
    if report.future:
        typer.echo(f"{report.future} dated in the future: published at once, under that date")
    if report.ignored_fields:
        fields = ", ".join(f"{name} ({files})" for name, files in report.ignored_fields.most_common())
        typer.echo(f"front matter without a place here, left aside: {fields}")
    counts = ", ".join(
        f"{report.actions[action]} {action}" for action in ("created", "updated", "unchanged", "skipped")
    )
    typer.echo(f"{'dry run, nothing changed: ' if dry_run else ''}{counts}")
