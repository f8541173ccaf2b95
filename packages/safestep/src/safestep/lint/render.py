"""The SQL of one revision alone, as `alembic upgrade --sql` writes it, with the line behind each statement."""

import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import CompileError, SQLAlchemyError

from safestep.lint.branches import branches
from safestep.lint.scripts import BROKEN_REVISION, line_of
from safestep.lint.sql import Statement, Unreadable, begins_transaction, ends_transaction, split_statements

STEPS = str(Path(__file__).parents[1] / "steps")
# Raised by Python code that needs a query's result, since nothing is queried here.
OFFLINE_ERRORS = (
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
# What SQLAlchemy says of a `sa.table()` whose columns aren't listed, or have no types.
WITHOUT_TYPE = "with datatype NULL"
UNLISTED = re.compile("Unconsumed column names: (.+)")


@dataclass(frozen=True)
class RenderProblem:
    """Why lint can't see what a revision, or a part of it, does."""

    rule: str
    message: str
    line: int


@dataclass(frozen=True)
class RenderedRevision:
    statements: list[Statement]
    problems: list[RenderProblem]


@dataclass(frozen=True)
class OutputChunk:
    """What Alembic writes at once: a statement, usually."""

    text: str
    line: int | None
    by_safe_step: bool


class OutputRecorder(io.StringIO):
    """Alembic's output in chunks, each with the line of the revision that wrote it."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.chunks: list[OutputChunk] = []
        self._file = file

    def write(self, text: str) -> int:
        self.chunks.append(OutputChunk(text, *self._origin()))
        return len(text)

    def _origin(self) -> tuple[int | None, bool]:
        """The revision's line, and whether it called a safe step that wrote the statement."""
        frame = sys._getframe()  # noqa: SLF001 - the stack, without building every frame's source as `inspect` does
        by_safe_step = False
        while (file := frame.f_code.co_filename) != self._file:
            by_safe_step = by_safe_step or file.startswith(STEPS)
            if frame.f_back is None:
                return None, False
            frame = frame.f_back
        return frame.f_lineno, by_safe_step


def render(config: Config, directory: ScriptDirectory, script: Script) -> RenderedRevision:
    """One revision's upgrade, through the project's own env.py.

    Not `command.upgrade(…, "down:up", sql=True)`: that reads every file again for every revision, and has no way
    to name the two parents of a merge.
    """
    recorder, root = OutputRecorder(script.path), Path(config.config_file_name or ".").parent
    config.output_buffer = recorder
    problems = [RenderProblem(found.rule, found.message, found.line) for found in branches(script.path, root)]
    try:
        _run(config, directory, script)
    except (*BROKEN_REVISION, *OFFLINE_ERRORS) as error:
        failed = RenderProblem(*_explained(error), line=line_of(error, script.path))
        problems = [problem for problem in problems if problem.line != failed.line] + [failed]
    statements, unreadable = _statements(recorder)
    return RenderedRevision(statements, problems + unreadable)


def _explained(error: BaseException) -> tuple[str, str]:
    """The rule, and what is wrong."""
    if isinstance(error, BROKEN_REVISION):
        return "unreadable-revision", f"{type(error).__name__}: {error}"
    if isinstance(error, CompileError):
        if WITHOUT_TYPE in str(error):
            return "untyped-table", "A column without a type is given a value, which can't be written without one."
        if missing := UNLISTED.search(str(error)):
            return "untyped-table", f"The `sa.table()` that it changes doesn't list {missing[1]}."
    return "needs-connection", f"{type(error).__name__}: {error}"


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


def _statements(recorder: OutputRecorder) -> tuple[list[Statement], list[RenderProblem]]:
    statements: list[Statement] = []
    problems = []
    transactions = 0
    inside = False
    for chunk in recorder.chunks:
        try:
            parts = split_statements(chunk.text)
        except Unreadable as error:
            problems.append(RenderProblem("syntax-error", f"{error}: {chunk.text.strip()}", chunk.line or 1))
            continue
        if len(parts) > 1 and chunk.line:
            what = "The driver prepares what it is given, and PostgreSQL prepares one statement at a time."
            problems.append(RenderProblem("several-statements", what, chunk.line))
        for part, node in parts:
            if begins_transaction(node):
                transactions, inside = transactions + 1, True
            transaction = transactions if inside else None
            statements.append(Statement(part, node, chunk.line, transaction, by_safe_step=chunk.by_safe_step))
            inside = inside and not ends_transaction(node)
    return statements, problems
