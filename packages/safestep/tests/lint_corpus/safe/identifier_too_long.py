import sqlalchemy as sa
from alembic import op

revision = "safe_identifier_too_long"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("a_name_of_a_column_that_ends_in_time", sa.Text()))
