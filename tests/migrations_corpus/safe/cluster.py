from alembic import op

revision = "safe_cluster"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_posts_slug_title ON posts (slug) INCLUDE (title)")
