import sqlalchemy as sa
from alembic import op

revision = "bad_code_elsewhere__connection"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if sa.create_engine("postgresql+asyncpg://other"):
        op.execute("SELECT 1")
