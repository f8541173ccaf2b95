import sqlalchemy as sa
from alembic import op

revision = "bad_untyped_table__unlisted"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute(sa.table("tags").update().values(name="news"))
