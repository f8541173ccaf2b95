from alembic import op

revision = "safe_set_logged"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE UNLOGGED TABLE sessions (id uuid PRIMARY KEY)")
    op.execute("ALTER TABLE sessions SET LOGGED")
