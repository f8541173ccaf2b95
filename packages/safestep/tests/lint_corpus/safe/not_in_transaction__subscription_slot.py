from alembic import op

revision = "safe_not_in_transaction__subscription_slot"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER SUBSCRIPTION orders DISABLE")
    op.execute("ALTER SUBSCRIPTION orders SET (slot_name = NONE)")
    op.execute("DROP SUBSCRIPTION orders")
