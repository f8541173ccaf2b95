import sqlalchemy as sa
from alembic import op

revision = "bad_untyped_table"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.bulk_insert(sa.table("tags", sa.column("name")), [{"name": "news"}])
