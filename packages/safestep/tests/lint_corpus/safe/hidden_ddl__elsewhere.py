from alembic import op

revision = "safe_hidden_ddl__elsewhere"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT dblink_connect('shop', 'dbname=shop')")
