import safestep

revision = "safe_ban_concurrent_index_creation_in_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_title", "posts", ["title"], unique=True)
