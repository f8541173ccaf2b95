"""Alembic's commands as functions, on a given database, and the checksums of committed revisions."""

import asyncio
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import load_settings
from app.db.errors import translated_errors
from app.db.session import connect_args
from safestep.migrations.plan import Phase, Step
from safestep.migrations.runner import RunOptions, one_line_errors

ROOT = Path(__file__).resolve().parents[5]
CHECKSUMS = "checksums.txt"


def config(url: URL | None = None, *, root: Path = ROOT, options: RunOptions | None = None) -> Config:
    """Alembic's configuration for this database; without a URL, `alembic/env.py` finds the service's own."""
    made = Config(root / "alembic.ini")
    if url is not None:
        made.attributes["url"] = url
    if options is not None:
        made.attributes["options"] = options
    return made


def heads(root: Path = ROOT) -> list[str]:
    return list(ScriptDirectory.from_config(config(root=root)).get_heads())


def has_revision(url: URL) -> bool:
    """Whether the database was ever migrated. Raises CommandError with one line when it can't be asked."""
    with one_line_errors(url):
        return asyncio.run(current(url)) != "base"


def lack(url: URL, *, root: Path = ROOT) -> str | None:
    """Why this code can't run on the database, in one line, if it can't. Raises what the database raises.

    Pending revisions that contract come after the code is out, and a revision that isn't known here is newer code's:
    this one was rolled back. Both fit.
    """
    with translated_errors():
        at = asyncio.run(current(url))
    script = ScriptDirectory.from_config(config(root=root))
    with suppress(ResolutionError):
        for revision in script.iterate_revisions("head", at):
            if Step(RevisionStep(script.revision_map, revision, is_upgrade=True)).phase is Phase.EXPAND:
                place = "has no revision yet" if at == "base" else f"is at {at}"
                return f"the database {place}, this code needs {revision.revision}: run `postern db upgrade`"
    return None


def upgrade(url: URL, revision: str = "head", options: RunOptions | None = None, *, root: Path = ROOT) -> None:
    """Brings the database to a newer revision, or waits for the process that is doing it.

    Raises CommandError with one line; what was applied until then stays, and the next run goes on from there.
    """
    command.upgrade(config(url, root=root, options=options or RunOptions()), revision)


def downgrade(url: URL, revision: str, options: RunOptions | None = None, *, root: Path = ROOT) -> None:
    command.downgrade(config(url, root=root, options=options or RunOptions()), revision)


def print_upgrade(url: URL, revision: str, options: RunOptions, *, root: Path = ROOT) -> None:
    """The SQL that would bring this database to `revision`; `from:to` is printed without a look at it."""
    command.upgrade(config(url, root=root, options=options), _range(url, revision), sql=True)


def print_downgrade(url: URL, revision: str, options: RunOptions, *, root: Path = ROOT) -> None:
    command.downgrade(config(url, root=root, options=options), _range(url, revision), sql=True)


def _range(url: URL, revision: str) -> str:
    if ":" in revision:
        return revision
    with one_line_errors(url):
        return f"{asyncio.run(current(url))}:{revision}"


async def current(url: URL) -> str:
    """The database's revision, or `base` when it has none."""
    engine = create_async_engine(url, poolclass=NullPool, connect_args=connect_args(url, load_settings()))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision()) or "base"
    finally:
        await engine.dispose()


def seal(root: Path = ROOT) -> list[str]:
    """Records the checksums of revisions that have none yet; returns their file names."""
    recorded = _recorded(root)
    added = {file.name: _checksum(file) for file in _revisions(root) if file.name not in recorded}
    lines = (f"{checksum}  {name}\n" for name, checksum in sorted((recorded | added).items()))
    _ledger(root).write_text("".join(lines))
    return sorted(added)


def edited(root: Path = ROOT) -> list[str]:
    """One line for each revision that isn't what was sealed: edited, removed, or not sealed yet."""
    recorded = _recorded(root)
    present = {file.name: _checksum(file) for file in _revisions(root)}
    faults = [
        f"{name} was edited after it was sealed: restore it and write a new revision"
        for name, checksum in present.items()
        if recorded.get(name, checksum) != checksum
    ]
    faults += [f"{name} was removed after it was sealed: restore it" for name in recorded.keys() - present.keys()]
    faults += [f"{name} is new: `postern db seal` when it is final" for name in present.keys() - recorded.keys()]
    return faults


def _ledger(root: Path) -> Path:
    return root / "alembic" / CHECKSUMS


def _revisions(root: Path) -> list[Path]:
    return sorted((root / "alembic" / "versions").glob("*.py"))


def _checksum(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _recorded(root: Path) -> dict[str, str]:
    if not _ledger(root).exists():
        return {}
    lines = _ledger(root).read_text().splitlines()
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
