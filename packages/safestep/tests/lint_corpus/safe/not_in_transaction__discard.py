from alembic import op

revision = "safe_not_in_transaction__discard"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DISCARD ALL")
