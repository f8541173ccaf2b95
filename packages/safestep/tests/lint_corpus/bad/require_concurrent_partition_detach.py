from alembic import op

revision = "bad_require_concurrent_partition_detach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE visits DETACH PARTITION visits_2025")
