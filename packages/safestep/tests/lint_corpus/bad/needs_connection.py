import sqlalchemy as sa
from alembic import op

revision = "bad_needs_connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1")).scalar():
        op.execute("SELECT 2")
