from alembic import op

revision = "safe_concurrent_index_if_not_exists"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_posts_title")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_posts_title ON posts (title)")
