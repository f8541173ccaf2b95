from alembic import op

revision = "bad_hidden_branch__exception"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    try:
        op.execute("SELECT 1")
    except RuntimeError:
        op.execute("TRUNCATE tags")
