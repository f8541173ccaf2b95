import sqlalchemy as sa
from alembic import op

revision = "bad_adding_field_with_default"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("token", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))
