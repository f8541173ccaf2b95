"""Our own rules, for what squawk leaves out: one module a topic, as in the cookbook."""

from app.db.lint.rules import columns, constraints, data, indexes, locks, revision, tables
from app.db.lint.rules.rule import RULES

__all__ = ["RULES", "columns", "constraints", "data", "indexes", "locks", "revision", "tables"]
