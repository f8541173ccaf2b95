from alembic import op

revision = "safe_require_concurrent_index_creation"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_posts_title", "posts", ["title"], postgresql_concurrently=True)
