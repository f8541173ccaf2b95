"""The SQL of one revision alone, as `alembic upgrade --sql` writes it, with the line behind each statement."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from safestep.lint.branches import branches
from safestep.lint.scripts import BROKEN, line_of
from safestep.lint.sql import Statement, Unreadable, begins, ends, split

STEPS = str(Path(__file__).parents[1] / "steps")
# What Python code meets when a query that it counts on returned nothing.
UNFIT_OFFLINE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    CommandError,
    LookupError,
    OSError,
    RuntimeError,
    SQLAlchemyError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Fault:
    """Why a revision, or a part of it, couldn't be read."""

    rule: str
    line: int
    message: str


@dataclass(frozen=True)
class Rendered:
    statements: list[Statement]
    faults: list[Fault]


@dataclass(frozen=True)
class Piece:
    """One write of Alembic's: a statement, if all is well."""

    text: str
    line: int | None
    by_safe_step: bool


class Recorder(io.StringIO):
    """Alembic's output, piece by piece, each with the line of the revision that it comes from."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.pieces: list[Piece] = []
        self._file = file

    def write(self, text: str) -> int:
        self.pieces.append(Piece(text, *self._origin()))
        return len(text)

    def _origin(self) -> tuple[int | None, bool]:
        """The revision's line, and whether a step of safe_ops stands between it and the statement."""
        frame = sys._getframe()  # noqa: SLF001 - the stack, without building every frame's source as `inspect` does
        by_safe_step = False
        while (file := frame.f_code.co_filename) != self._file:
            by_safe_step = by_safe_step or file.startswith(STEPS)
            if frame.f_back is None:
                return None, False
            frame = frame.f_back
        return frame.f_lineno, by_safe_step


def render(config: Config, directory: ScriptDirectory, script: Script) -> Rendered:
    """One revision's upgrade, through the project's own env.py.

    Not `command.upgrade(…, "down:up", sql=True)`: that reads every file again for every revision, and has no way
    to name the two parents of a merge.
    """
    recorder = Recorder(script.path)
    config.output_buffer = recorder
    asked = "What it does when it isn't only printed can't be seen before it runs."
    faults = [Fault("offline-branch", line, asked) for line in branches(script.path)]
    try:
        _run(config, directory, script)
    except (*BROKEN, *UNFIT_OFFLINE) as error:
        rule = "unreadable-revision" if isinstance(error, BROKEN) else "needs-connection"
        faults.append(Fault(rule, line_of(error, script.path), f"{type(error).__name__}: {error}"))
    statements, unreadable = _statements(recorder)
    return Rendered(statements, faults + unreadable)


def _run(config: Config, directory: ScriptDirectory, script: Script) -> None:
    def steps(_: object, __: MigrationContext) -> list[MigrationStep]:
        return [MigrationStep.upgrade_from_script(directory.revision_map, script)]

    environment = EnvironmentContext(
        config,
        directory,
        fn=steps,
        as_sql=True,
        starting_rev=script.down_revision or "base",
        destination_rev=script.revision,
    )
    with environment:
        directory.run_env()


def _statements(recorder: Recorder) -> tuple[list[Statement], list[Fault]]:
    statements: list[Statement] = []
    faults = []
    transactions = 0
    inside = False
    for piece in recorder.pieces:
        try:
            parts = split(piece.text)
        except Unreadable as error:
            faults.append(Fault("syntax-error", piece.line or 1, f"{error}: {piece.text.strip()}"))
            continue
        if len(parts) > 1 and piece.line:
            what = "The driver prepares what it is given, and PostgreSQL prepares one statement at a time."
            faults.append(Fault("several-statements", piece.line, what))
        for part, node in parts:
            if begins(node):
                transactions, inside = transactions + 1, True
            transaction = transactions if inside else None
            statements.append(Statement(part, node, piece.line, transaction, by_safe_step=piece.by_safe_step))
            inside = inside and not ends(node)
    return statements, faults
