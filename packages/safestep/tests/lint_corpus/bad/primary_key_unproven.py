import safestep
from alembic import op

revision = "bad_primary_key_unproven"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("pk_tags", "tags", ["id"], unique=True)
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tags ADD CONSTRAINT pk_tags PRIMARY KEY USING INDEX pk_tags")
