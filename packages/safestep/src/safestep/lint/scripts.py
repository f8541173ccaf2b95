"""The project's revisions as Alembic loads them."""

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from safestep.lint.report import Finding

# What a file meets that doesn't fit this Python, its imports or itself, wherever it runs.
BROKEN = (ImportError, NameError, SyntaxError, SystemExit)
# What is met besides when all files are loaded: a call at the top of one, or a parent that isn't there.
UNLOADABLE = (*BROKEN, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def load(directory: ScriptDirectory) -> tuple[list[Script], list[Finding]]:
    """The oldest first; or none, and what keeps Alembic from loading any."""
    try:
        return list(reversed(list(directory.walk_revisions()))), []
    except UNLOADABLE as error:
        file, line = _place(error, directory)
        return [], [Finding(shown(file), line, "unreadable-revision", f"{type(error).__name__}: {error}")]


def shown(path: str) -> str:
    """As one would type it here."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else path


def line_of(error: BaseException, file: str) -> int:
    """The deepest line of this file that the error passed."""
    return next((line for name, line in _passed(error) if name == file), 1)


def _place(error: BaseException, directory: ScriptDirectory) -> tuple[str, int]:
    folders = [Path(folder).resolve() for folder in directory.version_locations or [f"{directory.dir}/versions"]]
    ours = ((file, line) for file, line in _passed(error) if Path(file).resolve().parent in folders)
    return next(ours, (directory.dir, 1))


def _passed(error: BaseException) -> Iterator[tuple[str, int]]:
    """Files and lines, the deepest first; that of a syntax error no frame has reached."""
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno or 1
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield frame.filename, frame.lineno or 1
