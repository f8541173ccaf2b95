import sqlalchemy as sa
from alembic import op

revision = "safe_untyped_table__unlisted"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute(
        sa.table("tags", sa.column("id", sa.Text()), sa.column("name", sa.Text()))
        .delete()
        .where(sa.column("id", sa.Text()) == "1")
    )
