from alembic import op

revision = "safe_slow_behind_lock__copy"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COPY tags TO '/tmp/tags.csv'")
