from alembic import op

revision = "safe_slow_behind_lock"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE totals AS SELECT author_id, count(*) FROM posts GROUP BY 1")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN language text")
