from alembic import op

revision = "bad_hidden_branch__connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if type(op.get_bind()).__name__ == "Connection":
        op.execute("SELECT 2")
    op.execute("SELECT 1")
