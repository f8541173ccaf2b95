import safestep

revision = "safe_not_in_transaction__reindex"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.reindex_concurrently("ix_posts_slug")
