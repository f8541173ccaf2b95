from alembic import op

from app.db import safe_ops

revision = "bad_primary_key_unproven"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safe_ops.add_index_concurrently("pk_tags", "tags", ["id"], unique=True)
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tags ADD CONSTRAINT pk_tags PRIMARY KEY USING INDEX pk_tags")
