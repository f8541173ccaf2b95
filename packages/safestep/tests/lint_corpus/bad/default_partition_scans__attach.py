from alembic import op

revision = "bad_default_partition_scans__attach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE places_c (LIKE places)")
    op.execute("ALTER TABLE places ATTACH PARTITION places_c FOR VALUES IN ('c')")
