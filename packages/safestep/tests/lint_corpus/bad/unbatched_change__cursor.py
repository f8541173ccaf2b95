from alembic import op

revision = "bad_unbatched_change__cursor"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE FUNCTION reset() RETURNS void LANGUAGE sql AS 'UPDATE posts SET views = 0'")
    op.execute("DECLARE resets CURSOR FOR SELECT reset()")
