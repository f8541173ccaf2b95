from alembic import op

revision = "bad_not_in_transaction__subscription_slot"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP SUBSCRIPTION orders")
