from alembic import op

revision = "safe_hidden_branch__connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT 1")
