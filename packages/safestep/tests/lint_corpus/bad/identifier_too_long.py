import sqlalchemy as sa
from alembic import op

revision = "bad_identifier_too_long"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("a_name_of_a_column_that_goes_on_and_on_until_postgresql_cuts_it_off", sa.Text()))
