from alembic import op

revision = "safe_search_path_changed"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE FUNCTION one() RETURNS integer LANGUAGE sql SET search_path = '' AS 'SELECT 1'")
