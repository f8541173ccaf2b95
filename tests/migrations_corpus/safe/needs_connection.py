import sqlalchemy as sa
from alembic import op

revision = "safe_needs_connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if not op.get_context().as_sql:
        op.get_bind().execute(sa.text("SELECT 1")).scalar_one()
