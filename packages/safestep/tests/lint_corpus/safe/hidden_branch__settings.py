from alembic import op

revision = "safe_hidden_branch__settings"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 1")
