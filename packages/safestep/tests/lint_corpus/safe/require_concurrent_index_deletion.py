from alembic import op

revision = "safe_require_concurrent_index_deletion"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_posts_slug", table_name="posts", postgresql_concurrently=True)
