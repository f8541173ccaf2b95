from alembic import op

revision = "bad_not_in_transaction__database_tablespace"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DATABASE shop SET TABLESPACE fast")
