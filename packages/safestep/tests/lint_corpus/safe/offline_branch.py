from alembic import op

revision = "safe_offline_branch"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT 'as_sql'")


def downgrade() -> None:
    if not op.get_context().as_sql:
        op.execute("SELECT 1")
