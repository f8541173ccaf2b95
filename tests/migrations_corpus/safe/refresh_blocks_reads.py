from app.db import safe_ops

revision = "safe_refresh_blocks_reads"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safe_ops.add_index_concurrently("uq_counts", "counts", ["author_id"], unique=True)
    safe_ops.refresh_concurrently("counts")
