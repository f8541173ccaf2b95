import safestep

revision = "safe_refresh_blocks_reads"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("uq_counts", "counts", ["author_id"], unique=True)
    safestep.refresh_concurrently("counts")
