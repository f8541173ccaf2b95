from alembic import op

revision = "safe_ban_concurrent_index_creation_in_transaction"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_posts_title", "posts", ["title"], unique=True, postgresql_concurrently=True)
