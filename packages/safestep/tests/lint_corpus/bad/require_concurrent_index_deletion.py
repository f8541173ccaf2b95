from alembic import op

revision = "bad_require_concurrent_index_deletion"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.drop_index("ix_posts_slug", table_name="posts")
