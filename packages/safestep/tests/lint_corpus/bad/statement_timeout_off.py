from alembic import op

revision = "bad_statement_timeout_off"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET statement_timeout = 0")
