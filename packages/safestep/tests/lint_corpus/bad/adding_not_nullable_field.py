from alembic import op

revision = "bad_adding_not_nullable_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.alter_column("posts", "slug", nullable=False)
