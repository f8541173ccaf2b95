from alembic import op

revision = "bad_not_in_transaction__system"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER SYSTEM SET work_mem = '16MB'")
