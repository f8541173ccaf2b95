"""The static gate for revisions: what would stall or break the running service, found in their SQL before it runs."""

from app.db.lint.linter import UnknownRevision, lint
from app.db.lint.report import Report

__all__ = ["Report", "UnknownRevision", "lint"]
