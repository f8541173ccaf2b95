from alembic import op

revision = "safe_not_in_transaction__database_tablespace"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER DATABASE shop SET TABLESPACE fast")
