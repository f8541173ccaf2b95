from alembic import op

revision = "bad_unbatched_change__moved"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE old_posts AS WITH gone AS (DELETE FROM posts RETURNING *) SELECT * FROM gone")
