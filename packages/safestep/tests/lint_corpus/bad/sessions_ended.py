from alembic import op

revision = "bad_sessions_ended"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
