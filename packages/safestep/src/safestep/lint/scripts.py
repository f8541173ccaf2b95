"""The project's revisions as Alembic loads them."""

import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from safestep.lint.report import LintFinding

# Raised, wherever the file runs, when it doesn't fit this Python, its imports or itself.
BROKEN_REVISION = (ImportError, NameError, SyntaxError, SystemExit)
# Raised as well while files are loaded: by a call at the top of one, or because a parent is missing.
NOT_LOADABLE = (
    *BROKEN_REVISION,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class UnknownRevision(CommandError):
    """The name stands for no revision."""


def load(directory: ScriptDirectory) -> tuple[list[Script], list[LintFinding]]:
    """All revisions, the oldest first; or none, and a finding that says why Alembic can't load them."""
    try:
        return list(reversed(list(directory.walk_revisions()))), []
    except NOT_LOADABLE as error:
        file, line = _place(error, directory)
        return [], [LintFinding(display_path(file), line, "unreadable-revision", f"{type(error).__name__}: {error}")]


def revision_ids(directory: ScriptDirectory, names: Sequence[str]) -> set[str]:
    """The ids of the revisions that these names stand for, or of all; raises UnknownRevision."""
    ids: set[str] = set()
    for name in names or [script.revision for script in directory.walk_revisions()]:
        try:
            found = directory.get_revisions(name)
        except CommandError as error:
            raise UnknownRevision(str(error)) from error
        if not found:
            raise UnknownRevision(f"{name} is no revision")
        ids |= {script.revision for script in found}
    return ids


def display_path(path: str) -> str:
    """Relative to the current folder when the file is below it."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def line_of(error: BaseException, file: str) -> int:
    """The deepest line of this file in the error's traceback; 1 when the file isn't in it."""
    return next((line for name, line in _places(error) if name == file), 1)


def _place(error: BaseException, directory: ScriptDirectory) -> tuple[str, int]:
    folders = [Path(folder).resolve() for folder in directory.version_locations or [f"{directory.dir}/versions"]]
    revisions = ((file, line) for file, line in _places(error) if Path(file).resolve().parent in folders)
    return next(revisions, (directory.dir, 1))


def _places(error: BaseException) -> Iterator[tuple[str, int]]:
    """Files and lines of the traceback, the deepest first; a syntax error's own place comes before them."""
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno or 1
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield frame.filename, frame.lineno or 1
