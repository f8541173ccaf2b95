"""Schema changes that don't stop traffic, for revisions: `import safestep`.

Each step looks at what is there and does what is missing, every statement in a transaction of its own: a run that was
killed anywhere is finished by the next one. An ordinary change before a step in the same revision would be committed
half-way, so a step refuses to follow one; after a step anything may come.
All of them take `schema=`, and quote every name. With `--sql`, where nothing can be looked at, they print every
statement of a first run.
"""

from safestep.steps.backfill import batched_backfill
from safestep.steps.constraints import (
    add_check_not_valid,
    add_foreign_key_not_valid,
    set_not_null_safely,
    validate_constraint,
)
from safestep.steps.indexes import add_index_concurrently, drop_index_concurrently, reindex_concurrently
from safestep.steps.views import refresh_concurrently

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
