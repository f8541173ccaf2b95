from alembic import op

revision = "safe_hidden_branch__exception"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    try:
        op.execute("SELECT 1")
    finally:
        op.execute("SELECT 2")
