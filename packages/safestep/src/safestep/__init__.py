"""Schema changes that can't take a site down. Revisions call the safe steps: `import safestep`."""

from safestep.steps.backfill import batched_backfill
from safestep.steps.constraints import (
    add_check_not_valid,
    add_foreign_key_not_valid,
    set_not_null_safely,
    validate_constraint,
)
from safestep.steps.indexes import add_index_concurrently, drop_index_concurrently, reindex_concurrently
from safestep.steps.triggers import add_trigger
from safestep.steps.views import refresh_concurrently

__all__ = [
    "add_check_not_valid",
    "add_foreign_key_not_valid",
    "add_index_concurrently",
    "add_trigger",
    "batched_backfill",
    "drop_index_concurrently",
    "refresh_concurrently",
    "reindex_concurrently",
    "set_not_null_safely",
    "validate_constraint",
]
