import sqlalchemy as sa
from alembic import op

revision = "safe_adding_required_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("language", sa.String(8), server_default="en", nullable=False))
