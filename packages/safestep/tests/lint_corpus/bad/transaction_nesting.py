from alembic import op

revision = "bad_transaction_nesting"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMIT")
