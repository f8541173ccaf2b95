from alembic import op

revision = "bad_unbatched_change"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE posts SET views = 0 WHERE views IS NULL")
