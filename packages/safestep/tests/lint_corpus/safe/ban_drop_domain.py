from alembic import op

revision = "safe_ban_drop_domain"
down_revision = "tables"
phase = "contract"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP DOMAIN short")
