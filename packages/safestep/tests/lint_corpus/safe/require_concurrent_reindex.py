import safestep

revision = "safe_require_concurrent_reindex"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.reindex_concurrently("ix_posts_slug")
