from alembic import op

revision = "safe_unbatched_change__rows_of_function"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE FUNCTION chosen() RETURNS SETOF uuid LANGUAGE sql AS 'SELECT id FROM posts'")
    op.execute("UPDATE posts SET views = 0 WHERE id IN (SELECT id FROM chosen() AS id LIMIT 100)")
