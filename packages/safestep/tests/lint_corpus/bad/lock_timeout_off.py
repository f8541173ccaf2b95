from alembic import op

revision = "bad_lock_timeout_off"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = 0")
