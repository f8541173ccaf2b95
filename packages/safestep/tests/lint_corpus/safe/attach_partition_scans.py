from alembic import op

revision = "safe_attach_partition_scans"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute(
            "ALTER TABLE visits_2026 ADD CONSTRAINT bounds"
            " CHECK (at IS NOT NULL AND at >= '2026-01-01' AND at < '2027-01-01') NOT VALID"
        )
        op.execute("ALTER TABLE visits_2026 VALIDATE CONSTRAINT bounds")
        op.execute("ALTER TABLE visits ATTACH PARTITION visits_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
        op.execute("CREATE TABLE visits_2027 (LIKE visits)")
        op.execute("ALTER TABLE visits ATTACH PARTITION visits_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')")
