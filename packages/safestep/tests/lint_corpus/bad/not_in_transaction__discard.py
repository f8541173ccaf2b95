from alembic import op

revision = "bad_not_in_transaction__discard"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DISCARD ALL")
