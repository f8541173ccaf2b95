from alembic import op

revision = "safe_default_partition_scans__attach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE places_d (LIKE visits)")
    op.execute("ALTER TABLE visits ATTACH PARTITION places_d FOR VALUES FROM ('2029-01-01') TO ('2030-01-01')")
