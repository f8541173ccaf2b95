from alembic import op

revision = "safe_set_access_method"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE events (id uuid PRIMARY KEY) USING columnar")
    op.execute("ALTER TABLE events SET ACCESS METHOD heap")
