from alembic import op

revision = "safe_lock_table"
down_revision = "tables"


def upgrade() -> None:
    op.execute("SELECT pg_advisory_xact_lock(7)")
