from alembic import op

revision = "safe_vacuum_full"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("VACUUM (ANALYZE) posts")
        op.execute("VACUUM (FULL off) posts")
