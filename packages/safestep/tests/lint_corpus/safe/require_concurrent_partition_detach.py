from alembic import op

revision = "safe_require_concurrent_partition_detach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY")
