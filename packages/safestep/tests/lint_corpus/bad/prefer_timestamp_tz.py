import sqlalchemy as sa
from alembic import op

revision = "bad_prefer_timestamp_tz"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("seen_at", sa.DateTime()))
