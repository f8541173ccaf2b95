import safestep

revision = "safe_set_tablespace"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_fast", "posts", ["title"], postgresql_tablespace="fast")
