from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "safe_hidden_branch__clock"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    tags = sa.table("tags", sa.column("name", sa.Text()))
    op.bulk_insert(tags, [{"name": f"of {datetime.now(UTC)}"}])
