from alembic import op

revision = "safe_not_in_transaction__system"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER SYSTEM SET work_mem = '16MB'")
