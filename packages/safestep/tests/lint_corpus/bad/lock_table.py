from alembic import op

revision = "bad_lock_table"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("LOCK TABLE posts")
