from alembic import op

revision = "bad_unbatched_change__other_schema"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE FUNCTION statistics.reset() RETURNS void LANGUAGE sql AS 'UPDATE posts SET views = 0'")
    op.execute("SELECT reset()")
