from alembic import op

revision = "bad_unbatched_change__overload"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE FUNCTION reset(integer) RETURNS void LANGUAGE sql AS 'UPDATE posts SET views = 0'")
    op.execute("CREATE FUNCTION reset(text) RETURNS void LANGUAGE sql AS 'SELECT 1'")
    op.execute("SELECT reset(1)")
