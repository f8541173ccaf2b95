from alembic import op

revision = "bad_ban_drop_database"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP DATABASE old")
