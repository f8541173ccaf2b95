import sqlalchemy as sa
from alembic import op

revision = "bad_ban_char_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("users", sa.Column("country", sa.CHAR(2)))
