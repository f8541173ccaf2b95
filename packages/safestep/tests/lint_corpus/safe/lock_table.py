from alembic import op

revision = "safe_lock_table"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_advisory_xact_lock(7)")
