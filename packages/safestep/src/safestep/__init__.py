"""Schema changes that can't take a site down. Revisions call the safe steps: `import safestep`."""

from safestep.steps import (
    add_check_not_valid,
    add_foreign_key_not_valid,
    add_index_concurrently,
    batched_backfill,
    drop_index_concurrently,
    refresh_concurrently,
    reindex_concurrently,
    set_not_null_safely,
    validate_constraint,
)

__all__ = [
    "add_check_not_valid",
    "add_foreign_key_not_valid",
    "add_index_concurrently",
    "batched_backfill",
    "drop_index_concurrently",
    "refresh_concurrently",
    "reindex_concurrently",
    "set_not_null_safely",
    "validate_constraint",
]
