from alembic import op

revision = "safe_default_partition_scans"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE places_rest ADD CONSTRAINT no_b CHECK (kind <> 'b') NOT VALID")
        op.execute("ALTER TABLE places_rest VALIDATE CONSTRAINT no_b")
        op.execute("CREATE TABLE places_b PARTITION OF places FOR VALUES IN ('b')")
