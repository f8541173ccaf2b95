from alembic import op

revision = "bad_not_in_transaction__detach"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY")
