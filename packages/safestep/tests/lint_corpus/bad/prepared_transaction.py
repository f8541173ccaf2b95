from alembic import op

revision = "bad_prepared_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("PREPARE TRANSACTION 'half'")
