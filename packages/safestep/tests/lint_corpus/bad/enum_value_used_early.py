import sqlalchemy as sa
from alembic import op

revision = "bad_enum_value_used_early"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TYPE state ADD VALUE 'archived'")
    op.add_column("posts", sa.Column("state", sa.Enum("draft", name="state"), server_default="archived"))
