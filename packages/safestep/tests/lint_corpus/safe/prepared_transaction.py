from alembic import op

revision = "safe_prepared_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("PREPARE half AS SELECT 1")
