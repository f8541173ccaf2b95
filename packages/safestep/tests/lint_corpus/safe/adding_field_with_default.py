import sqlalchemy as sa
from alembic import op

revision = "safe_adding_field_with_default"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("token", sa.Uuid()))
    op.alter_column("posts", "token", server_default=sa.text("gen_random_uuid()"))
