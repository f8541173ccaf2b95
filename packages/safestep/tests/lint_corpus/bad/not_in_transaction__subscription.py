from alembic import op

revision = "bad_not_in_transaction__subscription"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE SUBSCRIPTION orders CONNECTION 'host=orders' PUBLICATION orders")
