from datetime import UTC, datetime

from alembic import op

revision = "bad_hidden_branch__clock"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if datetime.now(UTC).hour < 6:
        op.execute("SELECT 1")
