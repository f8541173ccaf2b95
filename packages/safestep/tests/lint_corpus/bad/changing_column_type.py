import sqlalchemy as sa
from alembic import op

revision = "bad_changing_column_type"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.alter_column("posts", "views", type_=sa.BigInteger())
