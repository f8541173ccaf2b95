from alembic import op

revision = "bad_ban_concurrent_index_creation_in_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.create_index("ix_posts_title", "posts", ["title"], postgresql_concurrently=True)
