import safestep

revision = "safe_require_concurrent_index_creation"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])
