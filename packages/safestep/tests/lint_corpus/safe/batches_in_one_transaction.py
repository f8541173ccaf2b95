import safestep

revision = "safe_batches_in_one_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.batched_backfill("posts", {"views": "0"}, where="views IS NULL")
