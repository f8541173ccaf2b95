from alembic import op

revision = "bad_hidden_ddl__elsewhere"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT dblink_exec('dbname=shop', 'TRUNCATE posts')")
