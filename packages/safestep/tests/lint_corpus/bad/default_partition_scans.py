from alembic import op

revision = "bad_default_partition_scans"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE places_b PARTITION OF places FOR VALUES IN ('b')")
