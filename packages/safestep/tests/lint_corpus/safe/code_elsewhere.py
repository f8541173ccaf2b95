from alembic import op

revision = "safe_code_elsewhere"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 1")
