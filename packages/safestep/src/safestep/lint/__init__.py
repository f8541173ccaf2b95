"""Reads the SQL of revisions before it runs, and finds what would stall or break the running service."""

from collections.abc import Sequence

from safestep.lint.report import KnownFinding, LintFinding, LintReport, RuleException
from safestep.lint.scripts import UnknownRevision
from safestep.lint.tools import MissingTools, require_tools
from safestep.project import Project

__all__ = ["KnownFinding", "LintFinding", "LintReport", "MissingTools", "RuleException", "UnknownRevision", "lint"]


def lint(project: Project, revisions: Sequence[str] = ()) -> LintReport:
    """The findings in these revisions, or in all; needs no database.

    Raises UnknownRevision, and MissingTools when PostgreSQL's parser or squawk isn't installed.
    """
    require_tools()
    from safestep.lint.linter import lint as run  # needs the parser

    return run(project, revisions)
