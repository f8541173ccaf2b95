from alembic import op

revision = "bad_not_in_transaction__reindex"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("REINDEX SCHEMA CONCURRENTLY public")
