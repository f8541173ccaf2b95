from alembic import op

revision = "bad_require_concurrent_index_creation"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_index("ix_posts_title", "posts", ["title"])
