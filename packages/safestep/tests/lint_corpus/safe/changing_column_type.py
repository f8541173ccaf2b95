import sqlalchemy as sa
from alembic import op

revision = "safe_changing_column_type"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.alter_column("posts", "title", type_=sa.String(400))
    op.alter_column("posts", "slug", type_=sa.Text())
