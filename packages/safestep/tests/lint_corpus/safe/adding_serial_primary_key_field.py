import safestep
from alembic import op

revision = "safe_adding_serial_primary_key_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET lock_timeout = '2s'")
    safestep.set_not_null_safely("tags", "id")
    safestep.add_index_concurrently("pk_tags", "tags", ["id"], unique=True)
    op.execute("ALTER TABLE tags ADD CONSTRAINT pk_tags PRIMARY KEY USING INDEX pk_tags")
