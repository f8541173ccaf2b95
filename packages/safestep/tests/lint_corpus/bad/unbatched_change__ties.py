from alembic import op

revision = "bad_unbatched_change__ties"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DELETE FROM posts WHERE id IN (SELECT id FROM posts ORDER BY views FETCH FIRST 100 ROWS WITH TIES)")
