from alembic import op

revision = "bad_not_in_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP INDEX CONCURRENTLY ix_posts_slug")
