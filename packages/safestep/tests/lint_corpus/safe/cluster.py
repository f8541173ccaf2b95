import safestep

revision = "safe_cluster"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_slug_title", "posts", ["slug"], postgresql_include=["title"])
