from app.db import safe_ops

revision = "safe_require_concurrent_reindex"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safe_ops.reindex_concurrently("ix_posts_slug")
