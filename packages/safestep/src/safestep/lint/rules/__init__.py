"""safestep's own rules, for what squawk leaves out: one module a topic, as in the cookbook."""

from safestep.lint.rules import columns, constraints, data, indexes, locks, revision, sessions, tables, transactions
from safestep.lint.rules.rule import RULES

__all__ = [
    "RULES",
    "columns",
    "constraints",
    "data",
    "indexes",
    "locks",
    "revision",
    "sessions",
    "tables",
    "transactions",
]
