import sqlalchemy as sa
from alembic import op

revision = "safe_enum_value_used_early"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE state ADD VALUE 'archived'")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.add_column("posts", sa.Column("state", sa.Enum("draft", name="state"), server_default="archived"))
