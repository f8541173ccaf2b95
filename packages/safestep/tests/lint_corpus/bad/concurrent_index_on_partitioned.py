import safestep

revision = "bad_concurrent_index_on_partitioned"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_visits_at", "visits", ["at"])
