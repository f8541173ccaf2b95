import safestep
from alembic import op

revision = "safe_concurrent_index_on_partitioned"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_visits_2025_at", "visits_2025", ["at"])
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE INDEX ix_visits_at ON ONLY visits (at)")
    op.execute("ALTER INDEX ix_visits_at ATTACH PARTITION ix_visits_2025_at")
