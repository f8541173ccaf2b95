from alembic import op

revision = "bad_not_in_transaction__subscription_option"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER SUBSCRIPTION orders SET (failover = true)")
