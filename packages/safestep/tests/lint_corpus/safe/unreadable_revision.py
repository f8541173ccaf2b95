import sqlalchemy as sa
from alembic import op

revision = "safe_unreadable_revision"
down_revision = "tables"
phase = "expand"

tags = sa.table("tags", sa.column("id", sa.Uuid()), sa.column("name", sa.Text()))


def upgrade() -> None:
    op.bulk_insert(tags, [{"id": "018c2b52-0000-7000-8000-000000000000", "name": "news"}])
