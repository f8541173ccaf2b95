from alembic import op

revision = "safe_hidden_branch"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 'environ'")
