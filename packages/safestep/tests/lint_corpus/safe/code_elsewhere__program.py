import json

from alembic import op

revision = "safe_code_elsewhere__program"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute(f"COMMENT ON TABLE tags IS '{json.dumps(['a', 'b'])}'")
