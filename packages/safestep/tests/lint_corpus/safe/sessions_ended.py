from alembic import op

revision = "safe_sessions_ended"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'")
