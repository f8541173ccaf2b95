from alembic import op

revision = "bad_set_access_method"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts SET ACCESS METHOD columnar")
