from alembic import op

revision = "bad_not_in_transaction__vacuum"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("VACUUM posts")
