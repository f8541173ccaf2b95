from alembic import op

revision = "bad_transaction_nesting"
down_revision = "tables"


def upgrade() -> None:
    op.execute("COMMIT")
