from alembic import op

revision = "bad_ban_drop_extension"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP EXTENSION hstore")
