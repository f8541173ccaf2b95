from alembic import op

revision = "safe_not_in_transaction__detach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY")
