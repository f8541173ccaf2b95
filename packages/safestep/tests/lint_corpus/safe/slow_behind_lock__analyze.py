from alembic import op

revision = "safe_slow_behind_lock__analyze"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ANALYZE posts")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN language text")
