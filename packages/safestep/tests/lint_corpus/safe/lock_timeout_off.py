from alembic import op

revision = "safe_lock_timeout_off"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("RESET lock_timeout")
