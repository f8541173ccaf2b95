from alembic import op

revision = "bad_unbatched_change"
down_revision = "tables"


def upgrade() -> None:
    op.execute("UPDATE posts SET views = 0 WHERE views IS NULL")
