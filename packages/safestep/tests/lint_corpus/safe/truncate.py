from alembic import op

revision = "safe_truncate"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE steps (id uuid PRIMARY KEY)")
    op.execute("TRUNCATE steps")
    op.execute("DELETE FROM tags WHERE id IN (SELECT id FROM tags LIMIT 1000)")
