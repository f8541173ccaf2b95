from alembic import op

revision = "bad_renaming_column"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.alter_column("posts", "title", new_column_name="headline")
