from alembic import op

revision = "safe_unbatched_change__series"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE posts SET views = 0 WHERE id IN (SELECT to_id(n) FROM generate_series(1, 1000) AS n)")
