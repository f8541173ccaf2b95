"""The static gate for revisions: what would stall or break the running service, found in their SQL before it runs."""

from safestep.lint.linter import UnknownRevision, lint
from safestep.lint.report import Report

__all__ = ["Report", "UnknownRevision", "lint"]
