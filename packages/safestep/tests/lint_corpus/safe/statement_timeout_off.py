from alembic import op

revision = "safe_statement_timeout_off"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL statement_timeout = '10min'")
