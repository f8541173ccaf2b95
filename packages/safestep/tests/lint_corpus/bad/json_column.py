import sqlalchemy as sa
from alembic import op

revision = "bad_json_column"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("extra", sa.JSON()))
