from alembic import op

revision = "bad_slow_behind_lock__copy"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN language text")
    op.execute("COPY tags TO '/tmp/tags.csv'")
