import sqlalchemy as sa
from alembic import op

revision = "safe_code_elsewhere__connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute(sa.text("SELECT 1"))
