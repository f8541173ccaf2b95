import safestep
from alembic import op

revision = "safe_concurrently_by_hand"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_posts_created_at")
        op.execute("CREATE INDEX CONCURRENTLY ix_posts_created_at ON posts (created_at)")
