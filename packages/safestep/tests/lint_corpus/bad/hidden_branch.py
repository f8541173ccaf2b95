import os

from alembic import op

revision = "bad_hidden_branch"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if os.getenv("REGION") == "eu":
        op.execute("TRUNCATE tags")
