from alembic import op

revision = "safe_not_in_transaction__vacuum"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("VACUUM posts")
    op.execute("ANALYZE posts")
