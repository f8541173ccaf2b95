import safestep

revision = "safe_not_in_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.drop_index_concurrently("ix_posts_slug", "posts")
