from alembic import op

revision = "bad_offline_branch"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    if not op.get_context().as_sql:
        op.execute("TRUNCATE posts")
