from alembic import op

revision = "bad_vacuum_full"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("VACUUM FULL posts")
